"""A small bundle whose features are what it sees: mean colours of cells, one by one and all."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from robot_vision.core.manifests.manifest import ModelManifest
from robot_vision.model_store.store import write_bundle

WIDTH_PX, HEIGHT_PX, CELL_PX = 64, 48, 8


def looking_bundle(folder: Path, *, middle: float = 0.5) -> Path:
    """Features [1,3,6,8] are colours less `middle`; the embedding [1,144] is the map."""
    grid = (HEIGHT_PX // CELL_PX, WIDTH_PX // CELL_PX)
    cell = [CELL_PX, CELL_PX]
    nodes = [
        helper.make_node("AveragePool", ["images"], ["mean"], kernel_shape=cell, strides=cell),
        helper.make_node("Sub", ["mean", "middle"], ["features"]),
        helper.make_node("Reshape", ["features", "row"], ["embedding"]),
    ]
    constants = [
        numpy_helper.from_array(np.array([middle], np.float32), "middle"),
        numpy_helper.from_array(np.array([1, -1], np.int64), "row"),
    ]
    shapes = {"images": [1, 3, HEIGHT_PX, WIDTH_PX], "features": [1, 3, *grid]}
    shapes["embedding"] = [1, 3 * grid[0] * grid[1]]
    values = {
        name: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in shapes.items()
    }
    outputs = [values["features"], values["embedding"]]
    graph = helper.make_graph(nodes, "looks", [values["images"]], outputs, constants)
    opset = helper.make_opsetid("", 17)
    folder.mkdir(parents=True)
    file = folder / "model.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=8), file)
    manifest = ModelManifest.model_validate(
        {
            "name": folder.name,
            "task": "features",
            "format": "features",
            "outputs": {"features": "features", "embedding": "embedding"},
            "input": {
                "name": "images",
                "width_px": WIDTH_PX,
                "height_px": HEIGHT_PX,
                "resize": "stretch",
            },
        }
    )
    return write_bundle(folder, manifest, file).path
