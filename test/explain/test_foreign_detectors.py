"""Detectors of other formats: explained by their detections, whichever row those are in."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from typer.testing import CliRunner

from robot_vision.cli import app
from robot_vision.core.errors import ConfigError
from robot_vision.core.manifests.manifest import ModelManifest
from robot_vision.explain.answer import answered, usual_ways
from robot_vision.explain.asking import ask
from robot_vision.explain.heat import ExplainError, energy_inside
from robot_vision.explain.opening.sources import one_picture
from robot_vision.explain.opening.subject import Subject, open_subject
from robot_vision.model_store.store import write_bundle
from robot_vision.replay.reading.bag import BagOptions

WIDTH, HEIGHT = 64, 48
LEFT, RIGHT = (slice(16, 32), slice(8, 24)), (slice(16, 32), slice(40, 56))


def halves_detector(folder: Path, *, batch: int = 1) -> Path:
    """Format yolov8: a box in each half of the picture, as sure as the half is dark."""
    half = [HEIGHT, WIDTH // 2]
    nodes = [
        helper.make_node("AveragePool", ["images"], ["mean"], kernel_shape=half, strides=half),
        helper.make_node("ReduceMean", ["mean", "colour"], ["bright"], keepdims=1),
        helper.make_node("Mul", ["bright", "factor"], ["light"]),
        helper.make_node("Sub", ["factor", "light"], ["dark"]),
        helper.make_node("Reshape", ["dark", "shape"], ["scores"]),
        helper.make_node("Concat", ["boxes", "scores"], ["output0"], axis=1),
    ]
    boxes = np.array([[16, 48], [24, 24], [16, 16], [16, 16]], np.float32)
    constants = {
        "colour": np.array([1], np.int64),
        "factor": np.array([4], np.float32),
        "shape": np.array([batch, 1, 2], np.int64),
        "boxes": np.repeat(boxes[None], batch, axis=0),
    }
    picture = helper.make_tensor_value_info("images", TensorProto.FLOAT, [batch, 3, HEIGHT, WIDTH])
    output = helper.make_tensor_value_info("output0", TensorProto.FLOAT, [batch, 5, 2])
    weights = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "halves", [picture], [output], weights)
    folder.mkdir(parents=True)
    file = folder / "model.onnx"
    opset = helper.make_opsetid("", 18)
    onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=8), file)
    image = {"name": "images", "width_px": WIDTH, "height_px": HEIGHT, "batch": batch}
    described = {"name": folder.name, "task": "detection", "format": "yolov8", "input": image}
    return write_bundle(
        folder, ModelManifest.model_validate({**described, "classes": ["square"]}), file
    ).path


def two_squares() -> np.ndarray:
    """A black square on the left, and one nearly as dark on the right."""
    rgb = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    rgb[LEFT], rgb[RIGHT] = 0, 20
    return rgb


def energy(subject: Subject, target: str, square: tuple[slice, slice]) -> float:
    question = ask(subject, two_squares(), target)
    assert usual_ways(question) == ["occlusion"]
    (answer,) = answered(question, ["occlusion"])
    assert answer.heat is not None, answer.refused
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[square] = True
    return energy_inside(answer.heat, mask)


@pytest.mark.parametrize("batch", [1, 2])
def test_each_object_depends_on_itself(tmp_path: Path, batch: int) -> None:
    """Hiding the left square puts the right one into the first row."""
    subject = open_subject(str(halves_detector(tmp_path / "halves", batch=batch)))
    assert energy(subject, "", LEFT) > 0.5
    assert energy(subject, "box:48,24", RIGHT) > 0.5


def test_nothing_found_is_said(tmp_path: Path) -> None:
    subject = open_subject(str(halves_detector(tmp_path / "halves")))
    with pytest.raises(ExplainError, match="halves finds no object"):
        ask(subject, np.full((HEIGHT, WIDTH, 3), 255, np.uint8))


def test_a_still_picture_has_no_frame_numbers() -> None:
    picture = str(Path(__file__).parents[2] / "robot_vision/data/import_pictures/cat.jpg")
    assert one_picture(picture, frame=0, options=BagOptions()).rgb.ndim == 3
    with pytest.raises(ConfigError, match=r"frame 3: .* has no numbered frames"):
        one_picture(picture, frame=3, options=BagOptions())


def test_a_size_that_the_network_does_not_take_is_an_error(tmp_path: Path) -> None:
    command = ["explain", "architecture", "native-s", "--size", "100x33"]
    result = CliRunner().invoke(app, [*command, "--out", str(tmp_path / "a.svg")])
    assert isinstance(result.exception, ConfigError)
    assert "size 100x33: native-s does not run at it" in str(result.exception)
