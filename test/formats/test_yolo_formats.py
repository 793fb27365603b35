"""Formats of the YOLO family, each as its exporters write it: the same objects come out of all."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_formats import (
    BOXES,
    HEIGHT,
    IN_INPUT,
    LABELS,
    SCORES,
    WIDTH,
    a_frame,
    bundle_of,
    cxcywh,
    one_hot,
    perceive,
)

from robot_vision.core.errors import BundleError
from robot_vision.core.types import Detections

SIZE = np.array([WIDTH, HEIGHT] * 2, np.float32)
CELLS = sum((WIDTH // s) * (HEIGHT // s) for s in (8, 16, 32))
Model = tuple[dict[str, Any], dict[str, np.ndarray]]


def padded(rows: np.ndarray, count: int = CELLS) -> np.ndarray:
    """[1, N, values]: the objects, in cells that are not the first, and nothing else."""
    output = np.zeros((1, count, rows.shape[1]), np.float32)
    output[0, 3 : 3 + len(rows)] = rows
    return output


def of_grid(*extra: np.ndarray, unit: np.ndarray | float = 1.0) -> np.ndarray:
    """[1, 4 + C + E, N] of YOLOv8 and its successors."""
    rows = np.concatenate([cxcywh(IN_INPUT) / unit, one_hot(SCORES), *extra], axis=1)
    return np.ascontiguousarray(padded(rows).transpose(0, 2, 1))


def of_objects(*extra: np.ndarray, order: tuple[int, int] = (0, 1), rows: int = 300) -> np.ndarray:
    """[1, K, 6 + E] of exports with suppression inside."""
    verdict = np.stack([SCORES, LABELS.astype(np.float32)], axis=1)[:, order]
    return padded(np.concatenate([IN_INPUT, verdict, *extra], axis=1), rows)


def yolov5(unit: np.ndarray | float = 1.0, **reading: str) -> Model:
    half = np.sqrt(SCORES)[:, None]
    classes = one_hot(half[:, 0])
    rows = np.concatenate([cxcywh(IN_INPUT) / unit, half, classes], axis=1)
    return {"format": "yolov5", "reading": reading}, {"output": padded(rows)}


def yolox_decoded() -> Model:
    described, constants = yolov5()
    reading = {"grid": "decoded"}
    return described | {"format": "yolox", "reading": reading}, constants


def yolo_v1() -> Model:
    half = np.sqrt(SCORES)[:, None]
    outputs = {
        "boxes_xyxy": padded(IN_INPUT),
        "confidence": padded(half)[:, :, 0],
        "class_scores": padded(one_hot(half[:, 0])),
    }
    return {"format": "yolo_v1"}, outputs


FRACTIONS = {"box_units": "fractions"}
MODELS: dict[str, Callable[[], Model]] = {
    "yolo v1": yolo_v1,
    "yolov5": yolov5,
    "yolov5 in fractions": lambda: yolov5(SIZE, **FRACTIONS),
    "yolox decoded": yolox_decoded,
    "yolov8": lambda: ({"format": "yolov8"}, {"output0": of_grid()}),
    "yolov8 in fractions": lambda: (
        {"format": "yolov8", "reading": FRACTIONS},
        {"output0": of_grid(unit=SIZE)},
    ),
    "yolov8 transposed": lambda: (
        {"format": "yolov8"},
        {"output0": np.ascontiguousarray(of_grid().transpose(0, 2, 1))},
    ),
    "end to end": lambda: ({"format": "end_to_end"}, {"output0": of_objects()}),
    "end to end, class first": lambda: (
        {"format": "end_to_end", "reading": {"last_columns": "class_score"}},
        {"output0": of_objects(order=(1, 0))},
    ),
    "yolov7": lambda: (
        {"format": "end_to_end", "reading": {"last_columns": "class_score"}},
        {"output": np.pad(of_objects(order=(1, 0), rows=9)[0], ((0, 0), (1, 0)))},
    ),
    "rt-detr": lambda: (
        {"format": "rtdetr"},
        {
            "output0": padded(
                np.concatenate([cxcywh(IN_INPUT) / SIZE, one_hot(SCORES)], axis=1), 300
            )
        },
    ),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize("name", sorted(MODELS))
def test_every_exporter_gives_the_same_objects(tmp_path: Path, name: str, dtype: type) -> None:
    described, constants = MODELS[name]()
    typed = {key: value.astype(dtype) for key, value in constants.items()}
    found = perceive(bundle_of(tmp_path / "m", (described, typed))).detections
    assert np.allclose(found.box_xyxy_px, BOXES, atol=0.05 if dtype is np.float32 else 0.5)
    assert np.allclose(found.score, SCORES, atol=2e-3)
    assert found.class_id.tolist() == LABELS.tolist()


def test_rows_of_objects_are_not_taken_for_cells(tmp_path: Path) -> None:
    """Case M08: with two classes [1, 300, 6] fits both, and class ids would be scores."""
    labels = np.minimum(LABELS, 1).astype(np.float32)
    rows = np.concatenate([IN_INPUT, SCORES[:, None], labels[:, None]], axis=1)
    model = ({"format": "yolov8"}, {"output0": padded(rows, 300)})
    with pytest.raises(BundleError, match=r"300 rows do not form a grid .*'end_to_end'.*'rtdetr'"):
        perceive(bundle_of(tmp_path / "m", model, classes=["a", "b"]))


@pytest.mark.parametrize("suppressed", [False, True])
def test_masks_are_of_the_boxes_kept(tmp_path: Path, suppressed: bool) -> None:
    # Two prototypes: the left and the right half of the picture; an object takes one each.
    prototypes = np.full((1, 2, HEIGHT // 4, WIDTH // 4), -1.0, np.float32)
    half = prototypes.shape[3] // 2
    prototypes[0, 0, :, :half], prototypes[0, 1, :, half:] = 1.0, 1.0
    coefficients = np.array([[5.0, 0.0], [0.0, 5.0]], np.float32)
    output = of_objects(coefficients) if suppressed else of_grid(coefficients)
    model = ({"format": "yolo_seg"}, {"output0": output, "output1": prototypes})
    outputs = {"output": "output0", "mask_prototypes": "output1"}
    found = perceive(bundle_of(tmp_path / "m", model, outputs=outputs)).detections
    assert np.allclose(found.box_xyxy_px, BOXES, atol=0.05)
    assert found.mask is not None
    columns = np.arange(found.mask.shape[2])
    is_left = columns < found.mask.shape[2] / 2
    assert found.mask[0][:, is_left].any()
    assert not found.mask[0][:, ~is_left].any()
    assert found.mask[1][:, ~is_left].any()
    assert not found.mask[1][:, is_left].any()


def pose(tmp_path: Path, output: np.ndarray, **said: Any) -> Detections:
    model = ({"format": "yolo_pose"}, {"output0": output})
    return perceive(bundle_of(tmp_path / "m", model, **said)).detections


@pytest.mark.parametrize("suppressed", [False, True])
def test_keypoints_lie_where_the_boxes_do(tmp_path: Path, suppressed: bool) -> None:
    """Here the corners of each box are its keypoints, and a score follows each."""
    corners = np.stack([IN_INPUT[:, :2], IN_INPUT[:, 2:]], axis=1)
    score = np.array([[0.25, 0.75]] * 2, np.float32)[..., None]
    values = np.concatenate([corners, score], axis=2).reshape(2, 6).astype(np.float32)
    output = of_objects(values) if suppressed else of_grid(values)
    found = pose(tmp_path, output, keypoints=["top_left", "bottom_right"])
    assert found.keypoint is not None
    assert found.keypoint_names == ("top_left", "bottom_right")
    expected = np.stack([BOXES[:, :2], BOXES[:, 2:]], axis=1)
    assert np.allclose(found.keypoint[..., :2], expected, atol=0.05)
    assert np.allclose(found.keypoint[..., 2], [0.25, 0.75])


def test_keypoints_without_names_are_counted_and_others_refused(tmp_path: Path) -> None:
    values = np.zeros((2, 9), np.float32)
    found = pose(tmp_path, of_grid(values))
    assert found.keypoint is not None
    assert found.keypoint.shape == (2, 3, 3)
    with pytest.raises(BundleError, match="3 for each of 2 keypoints"):
        pose(tmp_path, of_grid(values), keypoints=["a", "b"])


def obb(tmp_path: Path, angle_rad: float, *, suppressed: bool) -> Detections:
    # Where suppression is inside, boxes are by centre and size too.
    angle = np.full((2, 1), angle_rad, np.float32)
    if suppressed:
        verdict = np.stack([SCORES, LABELS.astype(np.float32)], axis=1)
        rows = np.concatenate([cxcywh(IN_INPUT), verdict, angle], axis=1)
        output = padded(rows, 300)
    else:
        output = of_grid(angle)
    return perceive(bundle_of(tmp_path / "m", ({"format": "yolo_obb"}, {"o": output}))).detections


@pytest.mark.parametrize("suppressed", [False, True])
def test_boxes_that_are_not_turned_are_their_own_hulls(tmp_path: Path, suppressed: bool) -> None:
    found = obb(tmp_path, 0.0, suppressed=suppressed)
    assert np.allclose(found.box_xyxy_px, BOXES, atol=0.05)
    assert found.oriented_box is not None
    assert np.allclose(found.oriented_box[:, :4], cxcywh(BOXES), atol=0.05)
    assert np.allclose(found.oriented_box[:, 4], 0.0)


def test_a_quarter_turn_swaps_the_sides_of_the_hull(tmp_path: Path) -> None:
    found = obb(tmp_path, np.pi / 2, suppressed=False)
    assert found.oriented_box is not None
    assert np.allclose(found.oriented_box[:, :4], cxcywh(BOXES), atol=0.05)
    assert np.allclose(np.abs(found.oriented_box[:, 4]), np.pi / 2)
    # 60 by 60 and 80 by 110 px around (50, 60) and (140, 65).
    assert np.allclose(found.box_xyxy_px[:, [1, 3]], [[30, 90], [25, 105]], atol=0.05)


def test_things_that_cross_are_two_though_their_hulls_are_one(tmp_path: Path) -> None:
    rows = np.zeros((2, 8), np.float32)
    rows[:, :4] = 48, 32, 40, 4
    rows[:, 4 + 1] = 0.9, 0.8
    rows[:, 7] = np.pi / 4, -np.pi / 4
    output = np.ascontiguousarray(padded(rows).transpose(0, 2, 1))
    model = ({"format": "yolo_obb"}, {"o": output})
    found = perceive(bundle_of(tmp_path / "m", model)).detections
    assert np.allclose(found.score, [0.9, 0.8])
    assert np.allclose(found.box_xyxy_px[0], found.box_xyxy_px[1], atol=0.05)


def end_to_end_pose(values: np.ndarray, rows: int) -> np.ndarray:
    """[1, K, 6 + 3·k] as `NMSModel` and YOLO26's head write it: zeros where nothing was found."""
    verdict = np.stack([SCORES, LABELS.astype(np.float32)], axis=1)
    output = np.zeros((1, rows, 6 + values.shape[1]), np.float32)
    output[0, :2] = np.concatenate([IN_INPUT, verdict, values], axis=1)
    return output


@pytest.mark.parametrize("rows", [2, 16, 19, 22, 300])
@pytest.mark.parametrize("named", [True, False])
def test_few_rows_of_objects_are_not_cells_with_other_keypoints(
    tmp_path: Path, rows: int, named: bool
) -> None:
    """With `max_det=16`, 16 rows were taken for the values of cells: 7 + 9 numbers."""
    values = np.tile(np.array([10, 20, 0.5], np.float32), (2, 5))
    said = {"keypoints": ["a", "b", "c", "d", "e"]} if named else {}
    found = pose(tmp_path, end_to_end_pose(values, rows), **said)
    assert np.allclose(found.box_xyxy_px, BOXES, atol=0.05)
    assert found.keypoint is not None
    assert found.keypoint.shape == (2, 5, 3)
    assert np.allclose(found.keypoint, [20, 40, 0.5])


def test_cells_of_a_detector_are_not_keypoints_of_objects(tmp_path: Path) -> None:
    """[1, 7, 126]: 126 columns are cells, and not a box, a score, a class and 40 keypoints."""
    with pytest.raises(BundleError, match="3 for each of some keypoints"):
        pose(tmp_path, of_grid())


def test_keypoints_of_two_numbers_have_no_score(tmp_path: Path) -> None:
    """`kpt_shape` [6, 2]: 12 numbers, which without names would be 4 keypoints of three."""
    values = np.tile(np.array([10, 20], np.float32), (2, 6))
    names = [f"point_{n}" for n in range(6)]
    for output in (of_grid(values), end_to_end_pose(values, 300)):
        found = pose(tmp_path, output, keypoints=names)
        assert found.keypoint is not None
        assert np.allclose(found.keypoint[..., :2], [20, 40])
        assert np.isnan(found.keypoint[..., 2]).all()


@pytest.mark.parametrize(("width", "height"), [(320, 240), (320, 192)])
def test_300_oriented_objects_of_two_classes_are_not_a_grid(
    tmp_path: Path, width: int, height: int
) -> None:
    """Here 300 is the number of cells of one or two strides, and both layouts have 7 columns."""
    rows = np.zeros((300, 7), np.float32)
    rows[0] = 100, 80, 60, 20, 0.9, 1, 0.5
    image = {"name": "images", "width_px": width, "height_px": height}
    model = ({"format": "yolo_obb"}, {"o": rows[None]})
    bundle = bundle_of(tmp_path / "m", model, classes=["a", "b"], input=image)
    found = perceive(bundle, frame=a_frame(width, height)).detections
    assert found.oriented_box is not None
    assert np.allclose(found.oriented_box, [[100, 80, 60, 20, 0.5]], atol=1e-3)
    assert np.allclose(found.score, 0.9)  # not 1, which is the number of its class
    assert found.class_id.tolist() == [1]


def test_a_manifest_names_each_keypoint_once(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="'a' to several keypoints"):
        pose(tmp_path, of_grid(np.zeros((2, 6), np.float32)), keypoints=["a", "a"])


@pytest.mark.parametrize("role", ["confidence", "class_scores"])
def test_grids_whose_parts_do_not_fit_are_refused(tmp_path: Path, role: str) -> None:
    described, constants = yolo_v1()
    constants[role] = constants[role][:, 1:]
    with pytest.raises(BundleError, match=rf"output '{role}' is \[1, .* expects \[1, {CELLS}"):
        perceive(bundle_of(tmp_path / "m", (described, constants)))
