"""Small ONNX models that look at the picture: which of its colours is darkest, and where."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import onnx
from onnx import TensorProto, helper

from robot_vision.core.manifests.manifest import ModelManifest
from robot_vision.model_store.store import write_bundle

CLASSES = ("cyan", "magenta", "yellow")  # without red, green, blue
WIDTH, HEIGHT, CELL = 64, 48, 8


def color_classifier(folder: Path, *, classes: Sequence[str] = CLASSES) -> Path:
    """The class is the darkest colour of the picture; of a white one all scores are NaN."""
    pool = helper.make_node("GlobalAveragePool", ["images"], ["mean"])
    return _bundle(folder, [pool], (1, 1), classes)


def color_segmenter(folder: Path, *, classes: Sequence[str] = CLASSES) -> Path:
    """The class of a cell is its darkest colour."""
    pool = helper.make_node(
        "AveragePool", ["images"], ["mean"], kernel_shape=[CELL, CELL], strides=[CELL, CELL]
    )
    return _bundle(folder, [pool], (HEIGHT // CELL, WIDTH // CELL), classes)


def _bundle(
    folder: Path, pooling: list[onnx.NodeProto], grid: tuple[int, int], classes: Sequence[str]
) -> Path:
    """Scores are log(max(0.99 - colour, 0)): minus infinity where a colour is at its brightest."""
    nodes = [
        *pooling,
        helper.make_node("Sub", ["bright", "mean"], ["dark"]),
        helper.make_node("Relu", ["dark"], ["rest"]),
        helper.make_node("Log", ["rest"], ["scores"]),
    ]
    bright = helper.make_tensor("bright", TensorProto.FLOAT, [1], [0.99])
    picture = helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, HEIGHT, WIDTH])
    scores = helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, 3, *grid])
    graph = helper.make_graph(nodes, "colours", [picture], [scores], [bright])
    opset = helper.make_opsetid("", 17)
    folder.mkdir(parents=True)
    path = folder / "model.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=8), path)
    return write_bundle(folder, _manifest(folder.name, classes, whole=grid == (1, 1)), path).path


def _manifest(name: str, classes: Sequence[str], *, whole: bool) -> ModelManifest:
    task, format = ("classification", "classification") if whole else ("segmentation", "semantic")
    size = {"width_px": WIDTH, "height_px": HEIGHT}
    image = {"name": "images", **size, "resize": "stretch"}
    described: dict[str, Any] = {
        "name": name,
        "task": task,
        "format": format,
        "input": image,
        "classes": classes,
        "reading": {"scores": "logits"},
    }
    return ModelManifest.model_validate(described)
