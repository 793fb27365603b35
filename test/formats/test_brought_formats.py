"""Formats of other projects, each as its exporter writes it: the same objects come out of all."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx_models import save_model
from test_formats import (
    BOXES,
    CLASSES,
    HEIGHT,
    IMAGE,
    IN_INPUT,
    LABELS,
    SCORES,
    WIDTH,
    bundle_of,
    cxcywh,
    logit,
    one_hot,
    perceive,
)

from robot_vision.core.errors import BundleError
from robot_vision.model_store.import_onnx import describe_onnx
from robot_vision.model_store.store import write_bundle

STRIDES_PX = (8, 16, 32)
BINS = 8
SIZE = np.array([WIDTH, HEIGHT] * 2, np.float32)
IN_FRACTIONS = IN_INPUT / SIZE

Model = tuple[dict[str, Any], dict[str, np.ndarray]]


def grid(stride_px: int) -> tuple[int, int]:
    return HEIGHT // stride_px, WIDTH // stride_px


def cells_inside(stride_px: int) -> list[tuple[int, int]]:
    """Row and column of the cell at the middle of each box."""
    middle = cxcywh(IN_INPUT)[:, :2]
    return [(int(y // stride_px), int(x // stride_px)) for x, y in middle]


def distances(stride_px: int, *, offset: float) -> list[np.ndarray]:
    """Per box: how far its sides lie from the point of its cell, in strides."""
    found = []
    for (line, column), (x0, y0, x1, y1) in zip(cells_inside(stride_px), IN_INPUT, strict=True):
        x, y = (column + offset) * stride_px, (line + offset) * stride_px
        found.append(np.array([x - x0, y - y0, x1 - x, y1 - y], np.float32) / stride_px)
    return found


def distribution(distance: np.ndarray) -> np.ndarray:
    """Logits of four distributions with these means."""
    low = np.floor(distance).astype(int)
    p = np.full((4, BINS), 1e-9)
    side = np.arange(4)
    p[side, low] += 1 - (distance - low)
    p[side, low + 1] += distance - low
    return np.log(p).astype(np.float32).ravel()


def levels(
    classes: int, values: int, *, strides_px: tuple[int, ...] = STRIDES_PX
) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    return {
        s: (
            np.zeros((-(-HEIGHT // s), -(-WIDTH // s), classes), np.float32),
            np.zeros((-(-HEIGHT // s), -(-WIDTH // s), values), np.float32),
        )
        for s in strides_px
    }


def filled(
    described: list[np.ndarray], values: int, *, strides_px: tuple[int, ...] = STRIDES_PX
) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """Maps of scores and of what describes boxes, with both objects at stride 8."""
    found = levels(len(CLASSES), values, strides_px=strides_px)
    scores, boxes = found[8]
    rows = one_hot(SCORES)
    for cell, score, box in zip(cells_inside(8), rows, described, strict=True):
        scores[cell], boxes[cell] = score, box
    return found


def rows_of(level: np.ndarray) -> np.ndarray:
    return level.reshape(1, -1, level.shape[2])


def maps_of(level: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(level.transpose(2, 0, 1)[None])


def nanodet() -> Model:
    described = [distribution(d) for d in distances(8, offset=0.5)]
    found = filled(described, 4 * BINS)
    # Scores of all levels first and boxes after them, under the numbers of an exporter.
    tensors = {str(792 + s): rows_of(found[s][0]) for s in STRIDES_PX}
    tensors |= {str(895 + s): rows_of(found[s][1]) for s in STRIDES_PX}
    return {"format": "nanodet"}, tensors


def nanodet_plus() -> Model:
    described = [distribution(d) for d in distances(8, offset=0)]
    found = filled(described, 4 * BINS, strides_px=(*STRIDES_PX, 64))
    rows = [np.concatenate([rows_of(a), rows_of(b)], axis=2) for a, b in found.values()]
    return {"format": "nanodet_plus"}, {"output": np.concatenate(rows, axis=1)}


def rtmdet(grid_reading: str) -> Model:
    unit = 8 if grid_reading == "decoded" else 1
    described = [d * unit for d in distances(8, offset=0)]
    found = filled(described, 4)
    tensors = {f"c{s}": logit(maps_of(found[s][0])) for s in STRIDES_PX}
    tensors |= {f"r{s}": maps_of(found[s][1]) for s in STRIDES_PX}
    return {"format": "rtmdet", "reading": {"scores": "logits", "grid": grid_reading}}, tensors


def yunet() -> Model:
    described = []
    for (line, column), box in zip(cells_inside(8), cxcywh(IN_INPUT) / 8, strict=True):
        described.append(np.append(box[:2] - (column, line), np.log(box[2:])))
    found = filled(described, 4)
    tensors = {}
    for s, (scores, boxes) in found.items():
        seen = scores.max(axis=2, keepdims=True)
        tensors |= {f"cls_{s}": rows_of(scores), f"obj_{s}": rows_of(seen)}
        tensors |= {f"bbox_{s}": rows_of(boxes), f"kps_{s}": np.zeros((1, seen.size, 10))}
    return {"format": "yunet"}, {name: t.astype(np.float32) for name, t in tensors.items()}


def fastestdet() -> Model:
    lines, columns = grid(16)
    output = np.zeros((1, 5 + len(CLASSES), lines, columns), np.float32)
    for (line, column), box, score, label in zip(
        cells_inside(16), cxcywh(IN_FRACTIONS), SCORES, LABELS, strict=True
    ):
        offset = box[:2] * (columns, lines) - (column, line)
        cell = np.concatenate([[score], np.arctanh(offset.clip(-0.9999, 0.9999)), logit(box[2:])])
        output[0, :5, line, column] = cell
        output[0, 5 + label, line, column] = score
    return {"format": "fastestdet"}, {"758": output}


def after_nms(format: str, boxes: np.ndarray, *, first: int, **reading: str) -> Model:
    """Without a batch axis; a weak row and one of a class that nobody knows follow."""
    described = {"format": format, "reading": reading}
    return described, {
        "labels": np.append(LABELS + first, [first, 7]).astype(np.int64),
        "boxes": np.concatenate([boxes, boxes]),
        "scores": np.append(SCORES, [0.05, 0.99]).astype(np.float32),
    }


def ssd(first: int) -> Model:
    names = ("detection_classes", "detection_boxes", "detection_scores")
    described, tensors = after_nms("ssd", IN_FRACTIONS[:, [1, 0, 3, 2]], first=first)
    # What counts is said by `num_detections`: the last rows are left-overs.
    outputs = dict(zip(tensors, names, strict=True)) | {"num_detections": "num_detections"}
    reading = {"box_units": "fractions", "box_order": "yxyx"}
    values = {outputs[role]: t[None].astype(np.float32) for role, t in tensors.items()}
    values["detection_classes"][0, 3] = first  # a known class, beyond those that count
    values["num_detections"] = np.array([3], np.float32)
    background = "first" if first else "none"
    return described | {
        "reading": reading | {"background": background},
        "outputs": outputs,
    }, values


def ssd_raw(*, order: str = "xyxy", logits: bool = False, encoded: bool = False) -> Model:
    boxes = IN_FRACTIONS[:, [1, 0, 3, 2]] if order == "yxyx" else IN_FRACTIONS
    background = (1 - SCORES)[:, None]
    scores = np.concatenate([background, one_hot(SCORES)], axis=1)
    tensors = {}
    if encoded:
        anchors = np.array([[0.3, 0.4, 0.2, 0.5], [0.8, 0.5, 0.4, 0.9]], np.float32)
        wanted = cxcywh(IN_FRACTIONS)
        centre = (wanted[:, :2] - anchors[:, :2]) / anchors[:, 2:] / 0.1
        boxes = np.concatenate([centre, np.log(wanted[:, 2:] / anchors[:, 2:]) / 0.2], axis=1)
        tensors["anchors"] = anchors
    tensors["scores"] = (np.log(scores.clip(1e-9)) if logits else scores)[None].astype(np.float32)
    tensors["boxes"] = boxes[None].astype(np.float32)
    reading = {
        "box_units": "fractions",
        "box_order": order,
        "scores": "logits" if logits else "probabilities",
        "grid": "encoded" if encoded else "decoded",
        "background": "first",
    }
    return {"format": "ssd_raw", "reading": reading}, tensors


def ultraface() -> Model:
    """Faces alone, under names that say nothing."""
    described, tensors = ssd_raw()
    scores = np.stack([1 - SCORES, SCORES], axis=1)[None].astype(np.float32)
    return described | {"classes": ["face"]}, {"460": tensors["boxes"], "461": scores}


def mmdet_nms() -> Model:
    dets = np.concatenate([IN_INPUT, SCORES[:, None]], axis=1)
    padding = np.array([[0, 0, 0, 0, 0.9]], np.float32)
    return {"format": "mmdet_nms"}, {
        "dets": np.concatenate([dets, padding])[None],
        "labels": np.append(LABELS, -1).astype(np.int64)[None],
    }


def rf_detr() -> Model:
    logits = logit(np.concatenate([one_hot(SCORES), np.full((2, 1), 0.99)], axis=1))
    tensors = {"dets": cxcywh(IN_FRACTIONS)[None], "labels": logits[None]}
    described = {"format": "detr_logits", "reading": {"background": "last"}}
    return described | {"outputs": {"boxes": "dets", "logits": "labels"}}, tensors


MODELS: dict[str, Callable[[], Model]] = {
    "nanodet": nanodet,
    "nanodet plus": nanodet_plus,
    "rtmdet in pixels": lambda: rtmdet("decoded"),
    "rtmdet in strides": lambda: rtmdet("encoded"),
    "yunet": yunet,
    "fastestdet": fastestdet,
    "detr without a batch axis": lambda: after_nms("detr", IN_INPUT, first=0),
    "detr in fractions": lambda: after_nms(
        "detr", cxcywh(IN_FRACTIONS), first=0, box_units="fractions", box_order="cxcywh"
    ),
    "torchvision": lambda: after_nms("torchvision", IN_INPUT, first=1, background="first"),
    "ssd of tensorflow": lambda: ssd(1),
    "ssd of tflite": lambda: ssd(0),
    "ssd raw": ssd_raw,
    "ssd raw, y first": lambda: ssd_raw(order="yxyx"),
    "ssd raw logits": lambda: ssd_raw(logits=True),
    "ssd raw with anchors": lambda: ssd_raw(encoded=True),
    "mmdet_nms": mmdet_nms,
    "rf-detr": rf_detr,
}


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize("name", sorted(MODELS))
def test_every_exporter_gives_the_same_objects(tmp_path: Path, name: str, dtype: type) -> None:
    described, constants = MODELS[name]()
    typed = {
        key: value.astype(dtype) if value.dtype == np.float32 else value
        for key, value in constants.items()
    }
    found = perceive(bundle_of(tmp_path / "m", (described, typed))).detections
    exact = dtype is np.float32
    assert np.allclose(found.box_xyxy_px, BOXES, atol=0.05 if exact else 0.5)
    assert np.allclose(found.score, SCORES, atol=2e-3)
    assert found.class_id.tolist() == LABELS.tolist()


@pytest.mark.parametrize("name", sorted(MODELS))
def test_any_threshold_is_decoded(tmp_path: Path, name: str) -> None:
    bundle = bundle_of(tmp_path / "m", MODELS[name]())
    for threshold in (1e-6, 1.0):
        found = perceive(bundle, detector__score_threshold=threshold).detections
        assert np.isfinite(found.box_xyxy_px).all()
        assert (found.score >= threshold).all()


@pytest.mark.parametrize(
    ("name", "format", "outputs"),
    [
        ("nanodet", "nanodet", {}),
        ("rtmdet in pixels", "rtmdet", {}),
        ("ultraface", "ssd_raw", {}),
        ("fastestdet", "fastestdet", {}),
        ("rf-detr", "detr_logits", {"boxes": "dets", "logits": "labels"}),
    ],
)
def test_an_import_needs_no_names_of_tensors(
    tmp_path: Path, name: str, format: str, outputs: dict[str, str]
) -> None:
    described, constants = (MODELS | {"ultraface": ultraface})[name]()
    inputs = {"images": ((1, 3, HEIGHT, WIDTH), np.float32)}
    file = save_model(tmp_path / "m.onnx", inputs=inputs, constants=constants)
    classes = described.get("classes", CLASSES)
    manifest = describe_onnx(file, name="m", format=format, classes=classes)
    assert manifest.outputs == outputs
    image = manifest.input.model_copy(update={"resize": "stretch"})
    reading = manifest.reading.model_copy(update=described.get("reading", {}))
    said = {"format": format, "outputs": outputs, "reading": reading, "input": image}
    bundle = bundle_of(tmp_path / "b", (said, constants), classes=classes)
    assert np.allclose(perceive(bundle).detections.box_xyxy_px, BOXES, atol=0.05)


def changed(name: str, output: str, value: np.ndarray) -> Model:
    described, constants = MODELS[name]()
    return described, constants | {output: value.astype(np.float32)}


def read_as(name: str, **reading: str) -> Model:
    described, constants = MODELS[name]()
    return described | {"reading": described["reading"] | reading}, constants


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (
            changed("nanodet", "800", np.zeros((1, 96, 5))),
            r"one output 'scores_8' of \[1, 96, K\] or .*K 3; the model has: 800 \[1, 96, 5\]",
        ),
        (changed("nanodet plus", "output", np.zeros((1, 9, 35))), r"expects \[1, 128, 3 \+ 4·bi"),
        (changed("yunet", "bbox_16", np.zeros((1, 9, 4))), r"one output 'bbox_16'"),
        (changed("fastestdet", "758", np.zeros((1, 9, 4, 6))), r"expects \[1, 8, h, w\]"),
        (changed("ssd of tflite", "detection_classes", np.full((1, 4), 0.5)), "class numbers"),
        (changed("torchvision", "boxes", np.zeros((4, 5))), r"expects \[1, N, 4\] or \[N, 4\]"),
        (changed("mmdet_nms", "dets", np.zeros((1, 3, 6))), r"expects \[1, N, 5\]"),
        (changed("ssd raw with anchors", "anchors", np.zeros((3, 4))), r"expects \[2, 4\]"),
        (read_as("ssd raw", grid="encoded"), "no output 'anchors'.*grid=decoded"),
        (read_as("ssd raw", background="none"), r"'scores' is .*expects \[1, 2, 3\]"),
        (read_as("rf-detr", background="none"), r"'logits' is .*expects \[1, 2, 3\]"),
    ],
)
def test_outputs_that_do_not_fit_are_refused_at_load(
    tmp_path: Path, model: Model, message: str
) -> None:
    bundle = bundle_of(tmp_path / "m", model)
    with pytest.raises(BundleError, match=message):
        perceive(bundle)


def test_a_reading_that_no_exporter_has_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="torchvision' cannot be read with background 'last'"):
        bundle_of(tmp_path / "m", read_as("torchvision", background="last"))
    described, constants = ssd(1)
    unsaid = {key: value for key, value in described.items() if key != "reading"}
    with pytest.raises(BundleError, match="with box_units 'pixels'; expected fractions"):
        bundle_of(tmp_path / "n", (unsaid, constants))


def test_as_many_classes_as_bins_are_recognised_by_name_alone(tmp_path: Path) -> None:
    """32 classes look like four distributions of 8: by shape they are one as well as the other."""
    classes = [f"c{i}" for i in range(32)]
    described, constants = nanodet()
    wide = {
        key: np.pad(value, ((0, 0), (0, 0), (0, 29))) if value.shape[2] == 3 else value
        for key, value in constants.items()
    }
    unnamed = bundle_of(tmp_path / "u", (described, wide), classes=classes)
    with pytest.raises(BundleError, match="Name them in the manifest's outputs"):
        perceive(unnamed)
    outputs = {f"scores_{s}": str(792 + s) for s in STRIDES_PX}
    outputs |= {f"distances_{s}": str(895 + s) for s in STRIDES_PX}
    named = bundle_of(tmp_path / "n", (described, wide), classes=classes, outputs=outputs)
    assert perceive(named).detections.class_id.tolist() == LABELS.tolist()


def test_inputs_that_no_stride_divides_have_grids_rounded_up(tmp_path: Path) -> None:
    described, _ = nanodet()
    image = IMAGE | {"width_px": 100, "height_px": 60}
    tensors = {}
    for s in STRIDES_PX:
        cells = -(-60 // s) * -(-100 // s)
        tensors[f"s{s}"] = np.zeros((1, cells, 3), np.float32)
        tensors[f"d{s}"] = np.zeros((1, cells, 4 * BINS), np.float32)
    bundle = bundle_of(tmp_path / "m", (described, tensors), input=image)
    assert len(perceive(bundle).detections) == 0


def test_an_export_by_optimum_with_every_axis_open_is_served_at_a_size(tmp_path: Path) -> None:
    """huggingface/optimum#2132: `pixel_values` names its channels too, and its size."""
    boxes = cxcywh(IN_FRACTIONS)[None]
    file = save_model(
        tmp_path / "m.onnx",
        inputs={"pixel_values": (("batch_size", "num_channels", "height", "width"), np.float32)},
        constants={"logits": logit(one_hot(SCORES))[None], "pred_boxes": boxes},
    )
    with pytest.raises(BundleError, match="give its size in pixels"):
        describe_onnx(file, name="m", format="detr_logits", classes=CLASSES)
    manifest = describe_onnx(
        file, name="m", format="detr_logits", classes=CLASSES, size_px=(WIDTH, HEIGHT)
    )
    found = perceive(str(write_bundle(tmp_path / "b", manifest, file).path)).detections
    assert np.allclose(found.box_xyxy_px, BOXES, atol=0.01)


def test_an_export_with_post_processing_and_every_axis_open_is_served_at_a_size(
    tmp_path: Path,
) -> None:
    _, constants = after_nms("detr", IN_INPUT, first=0)
    file = save_model(
        tmp_path / "m.onnx",
        inputs={
            "images": (("N", "C", "H", "W"), np.float32),
            "orig_target_sizes": (("N", 2), np.int64),
        },
        constants=constants,
    )
    manifest = describe_onnx(
        file, name="m", format="detr", classes=CLASSES, size_px=(WIDTH, HEIGHT)
    )
    assert manifest.input.size_name == "orig_target_sizes"
    found = perceive(str(write_bundle(tmp_path / "b", manifest, file).path)).detections
    assert np.allclose(found.box_xyxy_px, BOXES, atol=0.01)


def test_yunet_has_five_landmarks_of_each_face(tmp_path: Path) -> None:
    """Relative to the cell, in strides: the box's corners and centre, right of the face first."""
    described, tensors = yunet()
    left, top, right, bottom = IN_INPUT.T
    middle = np.stack([(left + right) / 2, (top + bottom) / 2], axis=1)
    points = [IN_INPUT[:, :2], IN_INPUT[:, [2, 1]], middle, IN_INPUT[:, [0, 3]], IN_INPUT[:, 2:]]
    landmarks = np.stack(points, axis=1)
    columns = grid(8)[1]
    for (line, column), face in zip(cells_inside(8), landmarks, strict=True):
        cell = (face / 8 - (column, line)).reshape(10)
        tensors["kps_8"][0, line * columns + column] = cell
    found = perceive(bundle_of(tmp_path / "m", (described, tensors))).detections
    assert found.keypoint_names == ("right_eye", "left_eye", "nose", "right_mouth", "left_mouth")
    assert found.keypoint is not None
    assert np.allclose(found.keypoint[..., :2], landmarks * 2, atol=0.05)
    assert np.isnan(found.keypoint[..., 2]).all()
    without = {name: tensor for name, tensor in tensors.items() if "kps" not in name}
    plain = perceive(bundle_of(tmp_path / "n", (described, without))).detections
    assert plain.keypoint is None
    with pytest.raises(BundleError, match=r"5 keypoints .* names 2"):
        perceive(bundle_of(tmp_path / "o", (described, tensors), keypoints=["a", "b"]))
