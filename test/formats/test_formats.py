"""Each detector format, through real ONNX Runtime: the same objects come out of all of them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx_models import make_bundle

from robot_vision.core.errors import BundleError, ConfigError
from robot_vision.core.parameters.config import ServiceConfig
from robot_vision.core.parameters.values import with_values
from robot_vision.core.types import Frame, Percept
from robot_vision.formats.levels import grid_cells
from robot_vision.perception.perceiver import build_perceiver

CLASSES = ["cup", "bowl", "can"]
WIDTH, HEIGHT = 96, 64  # the models' input
# What is in the picture, in pixels of a frame of 192×128 that the input halves.
BOXES = np.array([[20, 30, 80, 90], [100, 10, 180, 120]], np.float32)
SCORES = np.array([0.9, 0.6], np.float32)
LABELS = np.array([2, 0])
IN_INPUT = BOXES / 2

IMAGE = {"name": "images", "width_px": WIDTH, "height_px": HEIGHT}
Model = tuple[dict[str, Any], dict[str, np.ndarray]]


def one_hot(scores: np.ndarray, classes: int = 3) -> np.ndarray:
    rows = np.zeros((len(scores), classes), np.float32)
    rows[np.arange(len(scores)), LABELS] = scores
    return rows


def cxcywh(boxes: np.ndarray) -> np.ndarray:
    return np.concatenate(
        [(boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]], axis=1
    ).astype(np.float32)


def logit(p: np.ndarray) -> np.ndarray:
    p = np.clip(p, 1e-6, 1 - 1e-6)
    return np.log(p / (1 - p)).astype(np.float32)


def yolox() -> Model:
    cells = grid_cells(WIDTH, HEIGHT)
    output = np.zeros((1, len(cells), 8), np.float32)
    for row, box, score, label in zip((5, 100), cxcywh(IN_INPUT), SCORES, LABELS, strict=True):
        column, line, stride = cells[row]
        output[0, row, :2] = box[:2] / stride - (column, line)
        output[0, row, 2:4] = np.log(box[2:] / stride)
        output[0, row, 4], output[0, row, 5 + label] = score / 0.95, 0.95
    return {"format": "yolox"}, {"out": output}


def yolov8(*, transposed: bool = False) -> Model:
    rows = np.concatenate([cxcywh(IN_INPUT), one_hot(SCORES)], axis=1)
    # A weaker box of the first's class, near enough to be dropped but not to have a vote.
    extra = rows[:1].copy()
    extra[0, 6], extra[0, 0] = 0.8, extra[0, 0] + 6
    rows = np.concatenate([rows, extra, np.zeros((5, 7), np.float32)])
    return {"format": "yolov8"}, {"out": (rows if transposed else rows.T)[None].copy()}


def detr(*, sized: bool = False) -> Model:
    image = IMAGE | ({"size_name": "orig_target_sizes"} if sized else {})
    padding = np.array([[0.05], [7]])  # a weak one, and a class that nobody knows
    return {"format": "detr", "input": image, "outputs": {}}, {
        "labels": np.append(LABELS, [1, padding[1, 0]]).astype(np.int64)[None],
        "boxes": np.concatenate([IN_INPUT, IN_INPUT])[None],
        "scores": np.append(SCORES, [0.05, 0.99]).astype(np.float32)[None],
    }


def detr_logits(activation: str) -> Model:
    boxes = cxcywh(IN_INPUT) / np.array([WIDTH, HEIGHT] * 2, np.float32)
    if activation == "sigmoid":
        logits = logit(one_hot(SCORES))
    else:
        rest = (1 - SCORES)[:, None]
        logits = np.log(np.concatenate([one_hot(SCORES), rest], axis=1).clip(1e-9))
    outputs = {"logits": "logits", "boxes": "pred_boxes"}
    described = {"format": "detr_logits", "activation": activation, "outputs": outputs}
    return described, {"logits": logits[None].astype(np.float32), "pred_boxes": boxes[None]}


def native() -> Model:
    rng = np.random.default_rng(0)
    prototypes = np.full((1, 2, HEIGHT // 4, WIDTH // 4), 1.0, np.float32)
    prototypes[0, 1, :, : WIDTH // 8] = -3.0  # the second prototype is off in the left half
    image = IMAGE | {"dtype": "uint8", "layout": "nhwc", "depth_name": "sensor_depth_m"}
    return {"format": "native", "task": "multitask", "input": image}, {
        "boxes_xyxy": np.concatenate([IN_INPUT, np.zeros((3, 4), np.float32)])[None],
        "scores": np.concatenate([one_hot(SCORES), np.zeros((3, 3), np.float32)])[None],
        "mask_coefficients": np.array([[[0, 1], [1, 0], [0, 0], [0, 0], [0, 0]]], np.float32),
        "mask_prototypes": prototypes,
        "depth_m": np.full((1, 1, HEIGHT // 4, WIDTH // 4), 1.5, np.float32),
        "features": rng.random((1, 8, HEIGHT // 16, WIDTH // 16), dtype=np.float32),
        "embedding": rng.random((1, 16), dtype=np.float32),
    }


FORMATS: dict[str, Callable[[], Model]] = {
    "yolox": yolox,
    "yolov8": yolov8,
    "yolov8 transposed": lambda: yolov8(transposed=True),
    "detr": detr,
    "detr with sizes": lambda: detr(sized=True),
    "detr_logits sigmoid": lambda: detr_logits("sigmoid"),
    "detr_logits softmax": lambda: detr_logits("softmax"),
    "native": native,
}


def bundle_of(folder: Path, model: Model, **changes: Any) -> str:
    described, constants = model
    basis = {"task": "detection", "input": IMAGE, "classes": CLASSES}
    make_bundle(folder, manifest=basis | described | changes, constants=constants)
    return str(folder)


def perceive(bundle: str, *, frame: Frame | None = None, **config: Any) -> Percept:
    values = {"model": bundle, "device": "cpu", "threads": 1} | {
        key.replace("__", "."): value for key, value in config.items()
    }
    perceiver = build_perceiver(with_values(ServiceConfig(), values))
    try:
        return perceiver.perceive(frame or a_frame())
    finally:
        perceiver.close()


def a_frame(width: int = 192, height: int = 128, depth_m: np.ndarray | None = None) -> Frame:
    rgb = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Frame(stamp_ns=77, frame_id="camera", rgb=rgb, depth_m=depth_m)


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_every_format_finds_the_same_objects(tmp_path: Path, name: str) -> None:
    percept = perceive(bundle_of(tmp_path / "m", FORMATS[name]()))
    found = percept.detections
    assert found.stamp_ns == 77
    assert np.allclose(found.box_xyxy_px, BOXES, atol=0.01)
    assert np.allclose(found.score, SCORES, atol=1e-3)
    assert found.class_id.tolist() == LABELS.tolist()


@pytest.mark.parametrize("name", sorted(FORMATS))
@pytest.mark.parametrize("size", [(1, 1), (3840, 2160), (7, 900)])
def test_frames_of_any_size_give_boxes_inside_them(
    tmp_path: Path, name: str, size: tuple[int, int]
) -> None:
    depth_m = np.full((3, 5), np.nan, np.float32)
    frame = a_frame(*size, depth_m=depth_m)
    box = perceive(bundle_of(tmp_path / "m", FORMATS[name]()), frame=frame).detections.box_xyxy_px
    assert np.isfinite(box).all()
    assert (box >= 0).all()
    assert (box <= [*size, *size]).all()
    assert (box[:, 2:] > box[:, :2]).all()


def test_native_masks_depth_and_features(tmp_path: Path) -> None:
    percept = perceive(bundle_of(tmp_path / "m", native()))
    mask = percept.detections.mask
    assert mask is not None
    assert mask.shape == (2, 16, 24)
    assert not mask[0].any()  # its prototype is off in the left half, where its box is
    expected = np.zeros((16, 24), bool)
    expected[1:15, 12:23] = True  # cells of 8 px whose centre is in [100, 10, 180, 120]
    assert np.array_equal(mask[1], expected)
    assert percept.depth is not None
    assert percept.depth.source == "model"
    assert np.allclose(percept.depth.depth_m, 1.5)
    assert percept.features is not None
    assert percept.features.grid.shape == (8, 4, 6)
    assert percept.features.stride_px == 32  # of the frame, twice that of the input
    assert np.linalg.norm(percept.features.embedding) == pytest.approx(1)


def one_thing_of_two_names(sure: float, unsure: float) -> Model:
    """The native model's answer to one thing: a cell that gives it the first two class names."""
    described, constants = native()
    scores = np.zeros_like(constants["scores"])
    scores[0, 0, :2] = sure, unsure
    return described, constants | {"scores": scores}


@pytest.mark.parametrize(
    ("sure", "unsure", "threshold", "classes", "found"),
    [
        (0.8, 0.7, 0.5, [], [0]),
        (0.7, 0.8, 0.5, [], [1]),
        (0.8, 0.7, 0.3, [], [0, 1]),
        (0.8, 0.7, 0.5, CLASSES[1:2], []),  # what is surely a cup is no bowl for want of cups
        (0.4, 0.7, 0.5, CLASSES[1:2], [1]),
    ],
)
def test_one_thing_has_one_name_where_another_is_much_less_sure(
    tmp_path: Path,
    sure: float,
    unsure: float,
    threshold: float,
    classes: list[str],
    found: list[int],
) -> None:
    percept = perceive(
        bundle_of(tmp_path / "m", one_thing_of_two_names(sure, unsure)),
        detector__score_threshold=threshold,
        detector__classes=classes,
        detector__max_detections=2,
    )
    assert percept.detections.class_id.tolist() == found
    assert percept.detections.mask is not None
    assert len(percept.detections.mask) == len(found)


def test_a_detector_alone_has_no_features_and_no_depth(tmp_path: Path) -> None:
    percept = perceive(bundle_of(tmp_path / "m", yolox()))
    assert percept.features is None
    assert percept.depth is None


@pytest.mark.parametrize(
    ("config", "count"),
    [
        ({"detector__score_threshold": 0.7}, 1),
        ({"detector__max_detections": 1}, 1),
        ({"detector__classes": ["cup", "bowl"]}, 1),
        ({"detector__classes": ["bowl"]}, 0),
    ],
)
@pytest.mark.parametrize("name", ["yolox", "detr"])
def test_detections_are_selected_as_configured(
    tmp_path: Path, name: str, config: dict[str, Any], count: int
) -> None:
    assert len(perceive(bundle_of(tmp_path / "m", FORMATS[name]()), **config).detections) == count


def test_the_bundle_may_set_the_threshold_and_the_user_overrides_it(tmp_path: Path) -> None:
    bundle = bundle_of(tmp_path / "m", yolox(), score_threshold=0.7)
    assert len(perceive(bundle).detections) == 1
    assert len(perceive(bundle, detector__score_threshold=0.5).detections) == 2


def test_an_unknown_class_lists_those_there_are(tmp_path: Path) -> None:
    bundle = bundle_of(tmp_path / "m", yolox())
    with pytest.raises(ConfigError, match=r"'mug'; classes of m@1: cup, bowl, can"):
        perceive(bundle, detector__classes=["mug"])


def test_an_empty_name_keeps_all_classes(tmp_path: Path) -> None:
    """ROS's command line cannot write an empty list of texts."""
    bundle = bundle_of(tmp_path / "m", yolox())
    found = perceive(bundle, detector__classes=[""]).detections
    assert len(found) == len(perceive(bundle).detections) > 0


def test_boxes_and_scores_that_are_not_numbers_are_dropped(tmp_path: Path) -> None:
    described, constants = detr()
    constants["boxes"][0, 0, 0] = np.nan
    constants["scores"][0, 1] = np.inf
    assert len(perceive(bundle_of(tmp_path / "m", (described, constants))).detections) == 0
    described, constants = yolox()
    constants["out"][0, 5, 2] = 1e4  # exp overflows
    assert len(perceive(bundle_of(tmp_path / "n", (described, constants))).detections) == 1


def broken(name: str, output: str, value: np.ndarray) -> Model:
    described, constants = FORMATS[name]()
    return described, constants | {output: value.astype(np.float32)}


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (broken("yolox", "out", np.zeros((1, 10, 8))), r"\[1, 10, 8\].*expects \[1, 126, 8\]"),
        (broken("yolov8", "out", np.zeros((1, 9, 9))), r"expects \[1, 7, N\] or \[1, N, 7\]"),
        (broken("detr", "boxes", np.zeros((1, 4, 5))), r"'boxes' is \[1, 4, 5\]"),
        (broken("detr", "scores", np.zeros((1, 3))), r"'scores' is \[1, 3\].*expects \[1, 4\]"),
        (
            broken("detr_logits softmax", "logits", np.zeros((1, 2, 3))),
            r"'logits' is \[1, 2, 3\].*expects \[1, 2, 4\]",
        ),
        (broken("native", "scores", np.zeros((1, 5, 2))), r"expects \[1, 5, 3\]"),
        (broken("native", "boxes_xyxy", np.zeros((5, 4))), r"expects \[1, N, 4\]"),
        (broken("native", "mask_coefficients", np.zeros((1, 5, 9))), r"expects \[1, 5, 2\]"),
        (broken("native", "mask_prototypes", np.zeros((2, 3, 4))), r"expects \[1, K, h, w\]"),
        (broken("native", "depth_m", np.zeros((3, 4))), r"expected 4 dimensions"),
        (broken("native", "embedding", np.zeros((2, 4))), r"'embedding' is \[2, 4\]"),
    ],
)
def test_outputs_that_do_not_fit_the_format_are_refused_at_load(
    tmp_path: Path, model: Model, message: str
) -> None:
    bundle = bundle_of(tmp_path / "m", model)
    with pytest.raises(BundleError, match=message):
        build_perceiver(ServiceConfig(model=bundle, device="cpu", threads=1))


def test_a_missing_role_names_what_the_model_has(tmp_path: Path) -> None:
    described, constants = detr()
    constants["confidence"] = constants.pop("scores")
    bundle = bundle_of(tmp_path / "m", (described, constants))
    with pytest.raises(BundleError, match=r"scores is neither .*: labels, boxes, confidence"):
        build_perceiver(ServiceConfig(model=bundle, device="cpu"))
