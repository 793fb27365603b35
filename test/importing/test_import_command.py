"""`robot-vision models import` on files as people bring them."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx_models import save_model
from typer.testing import CliRunner

from robot_vision.commands.models import app
from robot_vision.core.manifests.manifest import ModelManifest
from robot_vision.core.results.keypoints import COCO_KEYPOINTS
from robot_vision.importing.reading.class_names import coco_names, read_class_names
from robot_vision.model_store.store import open_bundle

run = CliRunner().invoke

BOXES = np.array([[100, 120, 260, 360], [300, 200, 420, 340]], np.float32)
SCORES = np.array([0.9, 0.8], np.float32)


def rows_of_yolov8() -> np.ndarray:
    """A cup and a bowl among 8400 rows, [1, 4 + 2, 8400]."""
    out = np.zeros((1, 6, 8400), np.float32)
    out[0, :2, :2] = ((BOXES[:, :2] + BOXES[:, 2:]) / 2).T
    out[0, 2:4, :2] = (BOXES[:, 2:] - BOXES[:, :2]).T
    out[0, 4, 0], out[0, 5, 1] = SCORES
    return out


def net(
    tmp_path: Path,
    outputs: Mapping[str, np.ndarray],
    *,
    metadata: Mapping[str, str] | None = None,
    shape: tuple[int | str, ...] = (1, 3, 640, 640),
) -> Path:
    file = save_model(
        tmp_path / "net.onnx", inputs={"images": (shape, np.float32)}, constants=outputs
    )
    if metadata:
        model = onnx.load(file)
        onnx.helper.set_model_props(model, dict(metadata))
        onnx.save(model, file)
    return file


def imported(file: Path, *options: str) -> tuple[ModelManifest, str]:
    out = file.parent / "bundle"
    result = run(app, ["import", str(file), "--out", str(out), *options], env={"COLUMNS": "999"})
    if result.exception:
        raise result.exception
    return open_bundle(out).manifest, result.output


def refused(file: Path, *options: str) -> str:
    result = run(app, ["import", str(file), "--out", str(file.parent / "bundle"), *options])
    assert not (file.parent / "bundle").exists()
    return str(result.exception)


def names_file(tmp_path: Path, text: str = "cup\nbowl\n") -> str:
    (tmp_path / "names.txt").write_text(text, encoding="utf-8")
    return str(tmp_path / "names.txt")


def test_class_ids_are_never_taken_for_scores(tmp_path: Path) -> None:
    """Case M01: [1, 300, 6] of boxes, scores and class ids fits YOLOv8 with two classes."""
    out = np.zeros((1, 300, 6), np.float32)
    out[0, :2] = np.concatenate([BOXES, SCORES[:, None], [[0], [1]]], axis=1)
    file = net(tmp_path, {"output0": out}, metadata={"args": "{'nms': True}", "names": "{0: a}"})
    words = refused(file, "--format", "yolov8", "--classes", names_file(tmp_path))
    assert "this looks like an end-to-end detector" in words


@pytest.mark.parametrize(
    ("outputs", "words"),
    [
        ({"output0": (1, 25200, 7)}, "YOLOv5"),
        ({"output0": (1, 38, 8400), "output1": (1, 32, 160, 160)}, "a YOLO segmentation model"),
        ({"output0": (1, 56, 8400)}, "a YOLO pose model"),
        ({"output0": (1, 7, 8400)}, "a YOLO model of oriented boxes"),
    ],
)
def test_what_does_not_fit_is_recognised(
    outputs: dict[str, tuple[int, ...]], words: str, tmp_path: Path
) -> None:
    """Case M08."""
    arrays = {name: np.zeros(shape, np.float32) for name, shape in outputs.items()}
    said = refused(net(tmp_path, arrays), "--format", "yolov8", "--classes", names_file(tmp_path))
    assert f"this looks like {words}" in said


def test_a_guess_that_needs_names_asks_for_them(tmp_path: Path) -> None:
    file = net(tmp_path, {"output0": np.zeros((1, 9), np.float32)})
    said = refused(file)
    assert "this looks like a classifier" in said
    assert "--classes names.txt" in said


@pytest.mark.parametrize("shape", [(1, 14, 8400), (1, 8400, 14)])
def test_without_names_of_classes_nothing_is_a_map_of_classes(
    shape: tuple[int, ...], tmp_path: Path
) -> None:
    """A detector of ten classes without names was written down as a semantic map."""
    said = refused(net(tmp_path, {"output0": np.zeros(shape, np.float32)}))
    assert "--classes names.txt" in said


def test_rows_of_a_detector_are_not_a_map_of_classes(tmp_path: Path) -> None:
    file = net(tmp_path, {"output0": np.zeros((1, 1, 14, 8400), np.float32)})
    said = refused(file, "--classes", names_file(tmp_path, "weld\n"))
    assert "no format fits its outputs" in said


def test_pictures_that_cannot_judge_a_model_are_named_as_the_doubt(tmp_path: Path) -> None:
    """A detector of what is in no picture, as Ultralytics exports it."""
    metadata = {"names": "{0: weld}", "stride": "32", "task": "detect", "imgsz": "[640, 640]"}
    out = rows_of_yolov8()[:, :5]
    _, said = imported(net(tmp_path, {"output0": out}, metadata=metadata))
    assert "not sure: its classes have no names for what the pictures show" in said
    assert "letterbox, as its metadata says" in said


def test_a_way_to_feed_that_nobody_uses_hides_no_fault(tmp_path: Path) -> None:
    """Scores before a sigmoid look like probabilities if pixels are fed 255 times too bright."""
    out = rows_of_yolov8()[:, :5]
    out[0, 4, 0] = 2.0
    file = net(tmp_path, {"output0": out})
    model = onnx.load(file)
    model.graph.node[0].output[0] = "rows"
    brightest = onnx.helper.make_node(
        "ReduceMax", ["images"], ["most"], axes=[1, 2, 3], keepdims=0
    )
    divided = onnx.helper.make_node("Div", ["rows", "most"], ["output0"])
    model.graph.node.extend([brightest, divided])
    model.opset_import[0].version = 13
    onnx.save(model, file)
    said = refused(file, "--format", "yolov8", "--classes", names_file(tmp_path, "weld\n"))
    assert "not probabilities" in said


def test_one_class_does_not_stand_for_the_names_of_coco(tmp_path: Path) -> None:
    """Boxes around whole pictures hit a person and a cat, whatever class they are of."""
    out = np.zeros((1, 300, 6), np.float32)
    out[0, 0] = (2, 2, 638, 638, 0.9, 0)
    said = refused(net(tmp_path, {"output0": out}))
    assert "give the names of its classes" in said


def test_what_is_nothing_known_is_described(tmp_path: Path) -> None:
    said = refused(net(tmp_path, {"output0": np.zeros((7, 3), np.float32)}))
    assert "no format fits its outputs" in said
    assert "output0 [7, 3]" in said


def test_open_axes_ask_for_the_size(tmp_path: Path) -> None:
    shape = ("batch", 3, "height", "width")
    file = net(tmp_path, {"output0": rows_of_yolov8()}, shape=shape)
    said = refused(file, "--classes", names_file(tmp_path))
    assert "'images' is ['batch', 3, 'height', 'width']: give its size" in said
    assert "--size 640x640" in said


def test_all_axes_open_take_the_size_given(tmp_path: Path) -> None:
    """Case M05: Optimum leaves every axis of pixel_values open, channels too."""
    axes = ("batch_size", "num_channels", "height", "width")
    file = net(tmp_path, {"predicted_depth": np.ones((1, 64, 64), np.float32)}, shape=axes)
    assert "--size" in refused(file, "--format", "depth_relative")
    manifest, _ = imported(file, "--format", "depth_relative", "--size", "518x518")
    assert (manifest.input.width_px, manifest.input.layout) == (518, "nchw")


def test_formats_that_pictures_cannot_separate_are_asked_for(tmp_path: Path) -> None:
    file = net(tmp_path, {"predicted_depth": np.ones((1, 640, 640), np.float32)})
    assert "--format depth_metric" in refused(file)


def test_weights_beside_the_file_travel_and_count(tmp_path: Path) -> None:
    """Cases M04 and M04R: torch's default export keeps weights in net.onnx.data."""
    file = net(tmp_path, {"output0": rows_of_yolov8()})
    model = onnx.load(file)
    node = model.graph.node[0]
    weights = node.attribute[0].t
    weights.name = "weights"
    model.graph.initializer.append(weights)
    node.CopyFrom(onnx.helper.make_node("Identity", ["weights"], ["output0"]))
    onnx.save(model, file, save_as_external_data=True, location="net.onnx.data", size_threshold=0)
    imported(file, "--format", "yolov8", "--classes", names_file(tmp_path))
    data = tmp_path / "bundle" / "net.onnx.data"
    assert open_bundle(data.parent).manifest.files.keys() == {"net.onnx.data"}
    data.write_bytes(b"x" * data.stat().st_size)
    result = run(app, ["verify", str(data.parent), "--device", "cpu"])
    assert "damaged or was replaced" in str(result.exception)


def test_a_file_says_names_and_size_itself(tmp_path: Path) -> None:
    metadata = {
        "author": "Ultralytics",
        "names": "{0: 'cup', 1: \"driver's bowl\"}",
        "imgsz": "[640, 640]",
        "stride": "32",
        "task": "detect",
    }
    file = net(tmp_path, {"output0": rows_of_yolov8()}, metadata=metadata, shape=(1, 3, "h", "w"))
    manifest, said = imported(file, "--format", "yolov8")
    assert manifest.classes == ("cup", "driver's bowl")
    assert (manifest.input.width_px, manifest.input.height_px) == (640, 640)
    assert "its metadata (Ultralytics)" in said
    assert "not sure" in said


def test_metadata_that_makes_no_sense_is_passed_over_in_words(tmp_path: Path) -> None:
    file = net(tmp_path, {"output0": rows_of_yolov8()}, metadata={"names": "__import__('os')"})
    _, said = imported(file, "--format", "yolov8", "--classes", names_file(tmp_path))
    assert "its metadata 'names' was not used" in said


def test_hugging_face_files_beside_it_are_used(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"id2label": {"1": "bowl", "0": "cup"}}))
    (tmp_path / "preprocessor_config.json").write_text(
        json.dumps(
            {
                "image_mean": [0.5, 0.5, 0.5],
                "image_std": [0.5, 0.5, 0.5],
                "size": {"width": 640, "height": 640},
            }
        )
    )
    file = net(tmp_path, {"output0": rows_of_yolov8()})
    manifest, said = imported(file, "--format", "yolov8")
    assert manifest.classes == ("cup", "bowl")
    assert manifest.input.mean == (0.5, 0.5, 0.5)
    assert "preprocessor_config.json beside it" in said


@pytest.mark.parametrize(
    "text",
    ["\ufeffcup\n\n bowl \n", "0: cup\n1: bowl\n", "1: bowl\n\n0: 'cup'\n", "cup\r\nbowl\r\n"],
    ids=["byte order mark", "numbered", "out of order", "Windows"],
)
def test_names_are_read_as_people_write_them(text: str, tmp_path: Path) -> None:
    assert read_class_names(Path(names_file(tmp_path, text))) == ("cup", "bowl")


def test_coco_is_known_by_its_names() -> None:
    names = coco_names()
    assert (len(names), names[0], names[41], names[79]) == (80, "person", "cup", "toothbrush")


def test_a_model_that_finds_nothing_it_names_is_refused(tmp_path: Path) -> None:
    """A wrong reading must not pass because its shapes fit."""
    out = np.zeros((1, 84, 8400), np.float32)
    out[0, :4, :2] = rows_of_yolov8()[0, :4, :2]
    out[0, 4 + 20, 0] = 0.9  # elephants everywhere
    file = net(tmp_path, {"output0": out})
    coco = names_file(tmp_path, "\n".join(coco_names()))
    said = refused(file, "--format", "yolov8", "--classes", coco)
    assert "none is found" in said
    manifest, _ = imported(file, "--format", "yolov8", "--classes", coco, "--no-trial")
    assert manifest.format == "yolov8"


def test_an_engine_is_refused_with_what_serves(tmp_path: Path) -> None:
    (tmp_path / "net.engine").write_bytes(b"ftrt")
    said = refused(tmp_path / "net.engine", "--format", "yolov8")
    assert "TensorRT engine" in said
    assert "--device tensorrt" in said


def test_the_table_shows_what_was_tried(tmp_path: Path) -> None:
    file = net(tmp_path, {"output0": rows_of_yolov8()})
    names = names_file(tmp_path)
    _, said = imported(file, "--format", "yolov8", "--classes", names, "--explain")
    assert "ImageNet's mean" in said
    assert "0 to 255" in said


def pose_net(tmp_path: Path, keypoints: int, *, numbers: int = 3, **metadata: str) -> Path:
    """A pose model of one class as Ultralytics exports it, with one person in 8400 cells."""
    out = np.zeros((1, 5 + numbers * keypoints, 8400), np.float32)
    out[0, :5, 0] = 180, 240, 160, 240, 0.9
    out[0, 5:, 0] = 200
    said = {"names": "{0: 'person'}", "task": "pose", "imgsz": "[640, 640]", "stride": "32"}
    return net(tmp_path, {"output0": out}, metadata=said | metadata)


POSE = ("--format", "yolo_pose")


def test_seventeen_keypoints_without_names_are_said_to_be_taken_as_of_coco(tmp_path: Path) -> None:
    manifest, words = imported(pose_net(tmp_path, 17, kpt_shape="[17, 3]"), *POSE)
    assert manifest.keypoints == COCO_KEYPOINTS
    assert "its 17 keypoints have no names: taken as those of COCO's people" in words
    assert "--keypoint-names" in words


def test_a_pose_model_is_known_by_its_shape(tmp_path: Path) -> None:
    manifest, _ = imported(pose_net(tmp_path, 17, kpt_shape="[17, 3]"))
    assert (manifest.format, len(manifest.keypoints)) == ("yolo_pose", 17)


def test_a_pose_model_without_names_asks_for_them(tmp_path: Path) -> None:
    out = np.zeros((1, 5 + 3 * 17, 8400), np.float32)
    said = refused(net(tmp_path, {"output0": out}))
    assert "this looks like a YOLO pose model" in said
    assert "if it has others, give their names (--classes names.txt)" in said


def test_keypoints_are_counted_where_nobody_says_how_many(tmp_path: Path) -> None:
    manifest, words = imported(pose_net(tmp_path, 4), *POSE)
    assert manifest.keypoints == ("keypoint_0", "keypoint_1", "keypoint_2", "keypoint_3")
    assert "its 4 keypoints have no names: numbered" in words


def test_two_numbers_a_keypoint_are_counted_by_the_file_s_shape(tmp_path: Path) -> None:
    """12 numbers would be four keypoints with scores; the file says that they are six without."""
    manifest, _ = imported(pose_net(tmp_path, 6, numbers=2, kpt_shape="[6, 2]"), *POSE)
    assert len(manifest.keypoints) == 6


def test_names_of_keypoints_come_from_the_file_or_the_user(tmp_path: Path) -> None:
    said = {"kpt_shape": "[3, 3]", "kpt_names": "{0: ['tip', 'left_ear', 'right_ear']}"}
    manifest, words = imported(pose_net(tmp_path, 3, **said), *POSE)
    assert manifest.keypoints == ("tip", "left_ear", "right_ear")
    assert "have no names" not in words


def test_names_given_win_and_must_be_as_many_as_the_file_says(tmp_path: Path) -> None:
    file = pose_net(tmp_path, 2, kpt_shape="[2, 3]", kpt_names="{0: ['a', 'b']}")
    assert "says 2 keypoints (kpt_shape), but 3 names" in refused(
        file, *POSE, "--keypoint-names", "x,y,z"
    )
    manifest, _ = imported(file, *POSE, "--keypoint-names", "rim, handle")
    assert manifest.keypoints == ("rim", "handle")


@pytest.mark.parametrize("shape", ["[0, 3]", "17", "[17, 4]", "['a', 3]", "[999999999, 3]"])
def test_a_shape_of_keypoints_that_is_none_is_passed_over(tmp_path: Path, shape: str) -> None:
    manifest, words = imported(pose_net(tmp_path, 2, kpt_shape=shape), *POSE)
    assert manifest.keypoints == ("keypoint_0", "keypoint_1")
    assert "its metadata 'kpt_shape' was not used" in words
