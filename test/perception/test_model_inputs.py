"""Inputs as exporters leave them: bytes, half precision, channels last, a batch of their own."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx_models import make_bundle, save_model

from robot_vision.core.errors import BundleError
from robot_vision.core.parameters.config import ServiceConfig
from robot_vision.core.parameters.values import with_values
from robot_vision.core.types import Detections, Frame
from robot_vision.model_store.import_onnx import describe_onnx
from robot_vision.model_store.store import find_bundle, write_bundle
from robot_vision.perception.model import load_model
from robot_vision.perception.perceiver import build_perceiver

KINDS = {"uint8": TensorProto.UINT8, "float16": TensorProto.FLOAT16, "float32": TensorProto.FLOAT}


def exported_otherwise(
    file: Path, out: Path, *, dtype: str = "float32", layout: str = "nchw", batch: int = 1
) -> Path:
    """The model in `file` with another input; half precision goes for its output too."""
    model = onnx.load(str(file))
    graph = model.graph
    old, result = graph.input[0], graph.output[0]
    shape = [d.dim_value for d in old.type.tensor_type.shape.dim]
    rows = [d.dim_value for d in result.type.tensor_type.shape.dim]
    before, last = [], "given"
    if layout == "nhwc":
        before.append(helper.make_node("Transpose", [last], ["planes"], perm=[0, 3, 1, 2]))
        last = "planes"
        shape = [shape[0], *shape[2:], shape[1]]
    if batch > 1:
        before += [
            constant("row", np.array([0], np.int64)),
            helper.make_node("Gather", [last, "row"], ["first"], axis=0),
        ]
        last = "first"
    before.append(helper.make_node("Cast", [last], [old.name], to=TensorProto.FLOAT))
    kind = KINDS["float16" if dtype == "float16" else "float32"]
    after = [helper.make_node("Cast", [result.name], ["typed"], to=kind)]
    last = "typed"
    if batch > 1:
        rest = np.zeros((batch - 1, *rows[1:]), np.float16 if dtype == "float16" else np.float32)
        after += [
            constant("rest", rest),
            helper.make_node("Concat", [last, "rest"], ["rows"], axis=0),
        ]
        last = "rows"
    nodes = [*before, *graph.node, *after]
    del graph.node[:], graph.input[:], graph.output[:]
    graph.node.extend(nodes)
    graph.input.append(helper.make_tensor_value_info("given", KINDS[dtype], [batch, *shape[1:]]))
    graph.output.append(helper.make_tensor_value_info(last, kind, [batch, *rows[1:]]))
    onnx.save(model, str(out))
    return out


def constant(name: str, value: np.ndarray) -> onnx.NodeProto:
    return helper.make_node("Constant", [], [name], value=numpy_helper.from_array(value, name))


def detections(folder: Path, file: Path, shared_data: Path) -> Detections:
    classes = (shared_data / "models/coco_classes.txt").read_text().splitlines()
    manifest = describe_onnx(file, name="m", format="yolox", classes=classes)
    bundle = write_bundle(folder, manifest, file)
    values = {"model": str(bundle.path), "device": "cpu", "detector.score_threshold": 0.35}
    perceiver = build_perceiver(with_values(ServiceConfig(), values))
    bgr = cv2.imread(str(shared_data / "images/bus.jpg"))
    assert bgr is not None
    frame = Frame(stamp_ns=0, frame_id="c", rgb=cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB))
    try:
        return perceiver.perceive(frame).detections
    finally:
        perceiver.close()


@pytest.mark.parametrize(
    "otherwise",
    [
        {"dtype": "uint8"},
        {"dtype": "float16"},
        {"layout": "nhwc"},
        {"dtype": "uint8", "layout": "nhwc"},
        {"dtype": "float16", "layout": "nhwc", "batch": 3},
        {"batch": 4},
    ],
    ids=str,
)
def test_a_real_model_finds_the_same_however_it_is_fed(
    shared_data: Path, tmp_path: Path, otherwise: dict[str, Any]
) -> None:
    known = shared_data / "models/yolox_nano.onnx"
    other = exported_otherwise(known, tmp_path / "other.onnx", **otherwise)
    expected = detections(tmp_path / "known", known, shared_data)
    found = detections(tmp_path / "m", other, shared_data)
    assert found.class_id.tolist() == expected.class_id.tolist()
    assert np.allclose(found.score, expected.score, atol=5e-3)
    assert np.allclose(found.box_xyxy_px, expected.box_xyxy_px, atol=3)


def batch_bundle(folder: Path, output: np.ndarray, *, size_name: str = "") -> str:
    """A model that always takes two pictures and says this of them."""
    described = {
        "task": "detection",
        "format": "yolov8",
        "input": {
            "name": "x",
            "width_px": 64,
            "height_px": 32,
            "batch": len(output),
            "size_name": size_name,
        },
        "classes": ["cup"],
    }
    make_bundle(folder, manifest=described, constants={"output": output})
    return str(folder)


def test_of_a_batch_the_first_row_is_the_frame_and_the_cost_is_said(tmp_path: Path) -> None:
    rows = np.zeros((2, 5, 3), np.float32)
    rows[0, :, 0] = 32, 16, 20, 10, 0.9
    rows[1, :, 1] = 10, 10, 10, 10, 0.8
    said: list[str] = []
    bundle = batch_bundle(tmp_path / "m", rows, size_name="sizes")
    perceiver = build_perceiver(
        with_values(ServiceConfig(), {"model": bundle, "device": "cpu"}), announce=said.append
    )
    frame = Frame(stamp_ns=0, frame_id="c", rgb=np.zeros((32, 64, 3), np.uint8))
    found = perceiver.perceive(frame).detections
    perceiver.close()
    assert found.box_xyxy_px.tolist() == [[22, 11, 42, 21]]
    assert any("computes 2 pictures for each frame" in line for line in said)


def test_a_batch_is_known_from_the_file_and_an_open_one_is_one(tmp_path: Path) -> None:
    for size, batch in ((4, 4), (1, 1), ("n", 1)):
        file = save_model(
            tmp_path / "m.onnx",
            inputs={"x": ((size, 3, 32, 64), np.float32)},
            constants={"output": np.zeros((1, 5, 3), np.float32)},
        )
        manifest = describe_onnx(file, name="m", format="yolov8", classes=["cup"])
        assert manifest.input.batch == batch


def test_a_batch_other_than_the_models_is_refused(tmp_path: Path) -> None:
    bundle = find_bundle(batch_bundle(tmp_path / "m", np.zeros((2, 5, 3), np.float32)))
    spec = bundle.manifest.input.model_copy(update={"batch": 1})
    manifest = bundle.manifest.model_copy(update={"input": spec})
    config = ServiceConfig(device="cpu")
    with pytest.raises(BundleError, match=r"input 'x' is float32 \[2, 3, 32, 64\], the manifest"):
        load_model(write_bundle(tmp_path / "m", manifest, bundle.model_path), config)
