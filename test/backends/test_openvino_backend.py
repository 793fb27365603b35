"""OpenVINO: the same numbers as ONNX Runtime, the same refusals, and words where it is absent."""

import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx_models import make_bundle

from robot_vision.backends import load_backend
from robot_vision.backends.contract import blank_inputs
from robot_vision.core.errors import BundleError, DeviceError
from robot_vision.core.interfaces import Backend
from robot_vision.core.parameters.config import ServiceConfig
from robot_vision.export.quantise import to_int8
from robot_vision.model_store.store import Bundle, find_bundle, write_bundle
from robot_vision.pipeline import build_pipeline
from robot_vision.replay.reading.example_frames import load_frames

IMAGE = {"name": "images", "width_px": 8, "height_px": 4}
FEATURES = {"task": "features", "format": "features", "input": IMAGE}


def echo(folder: Path, **changes: object) -> Bundle:
    return make_bundle(folder, manifest=FEATURES | changes, echoes={"same": "images"})


def convolving(folder: Path) -> Bundle:
    """A bundle of one convolution and a ReLU, with weights that are drawn."""
    draw = np.random.default_rng(0)
    weights = numpy_helper.from_array(draw.normal(size=(16, 3, 3, 3)).astype(np.float32), "w")
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["images", "w"], ["c"], pads=[1, 1, 1, 1]),
            helper.make_node("Relu", ["c"], ["features"]),
        ],
        "convolving",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, 4, 8])],
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, [1, 16, 4, 8])],
        [weights],
    )
    folder.mkdir()
    file = folder / "made.onnx"
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, file)
    return write_bundle(folder, echo(folder / "manifest").manifest, file)


class TestWhereItIsInstalled:
    @pytest.fixture(autouse=True)
    def installed(self) -> None:
        pytest.importorskip("openvino", reason="openvino is not installed (extra 'openvino')")

    def test_arrays_in_arrays_of_ones_own_out(self, tmp_path: Path) -> None:
        backend = load_backend(echo(tmp_path / "echo"), device="openvino", threads=1)
        draw = np.random.default_rng(0)
        first, second = (draw.random((1, 3, 4, 8), dtype=np.float32) for _ in range(2))
        kept = backend.run({"images": first})["same"]
        assert np.array_equal(backend.run({"images": second})["same"], second)
        assert np.array_equal(kept, first)
        assert isinstance(backend, Backend)
        assert (backend.provider, backend.fallback_reason) == ("openvino", "")
        backend.close()

    def test_the_shipped_model_says_the_same_of_real_frames(self) -> None:
        bundle = find_bundle("native-s")
        engines = [load_backend(bundle, device=d, threads=1) for d in ("cpu", "openvino")]
        inputs = blank_inputs(bundle.manifest)
        draw = np.random.default_rng(0)
        for name, value in inputs.items():
            if value.dtype == np.uint8:
                inputs[name] = draw.integers(0, 256, value.shape, np.uint8)
        expected, found = (engine.run(inputs) for engine in engines)
        assert expected.keys() == found.keys()
        for name, value in expected.items():
            scale = max(1.0, float(np.abs(value).max()))
            np.testing.assert_allclose(found[name] / scale, value / scale, atol=1e-5, err_msg=name)

    def test_the_pipeline_finds_the_same_objects(self) -> None:
        frames = load_frames(None, count=2, width_px=320, height_px=240)
        found = []
        for device in ("cpu", "openvino"):
            pipeline = build_pipeline(ServiceConfig(device=device, threads=1))
            found.append([pipeline.process(frame).detections for frame in frames])
            assert pipeline.perceiver.provider == device
            pipeline.perceiver.close()
        for expected, other in zip(*found, strict=True):
            assert len(expected.score) > 0
            np.testing.assert_array_equal(other.class_id, expected.class_id)
            np.testing.assert_allclose(other.box_xyxy_px, expected.box_xyxy_px, atol=0.01)
            np.testing.assert_allclose(other.score, expected.score, atol=1e-4)

    def test_int8_is_as_near_to_fp32_as_in_onnx_runtime(self, tmp_path: Path) -> None:
        exact = convolving(tmp_path / "exact")
        draw = np.random.default_rng(1)
        rows = [{"images": draw.random((1, 3, 4, 8), dtype=np.float32)} for _ in range(8)]
        small = to_int8(exact.model_path, tmp_path / "int8.onnx", rows)
        assert "QuantizeLinear" in {node.op_type for node in onnx.load(small).graph.node}
        bundle = write_bundle(tmp_path / "small", exact.manifest, small)
        reference = load_backend(exact, device="cpu", threads=1)
        engines = [load_backend(bundle, device=d, threads=1) for d in ("cpu", "openvino")]
        truth = reference.run(rows[0])["features"]
        errors = [np.abs(one.run(rows[0])["features"] - truth) for one in engines]
        step = float(truth.max()) / 255
        assert all(0 < error.mean() < 2 * step for error in errors)
        assert errors[1].mean() < 1.2 * errors[0].mean()

    def test_a_model_that_is_not_its_manifests_is_refused(self, tmp_path: Path) -> None:
        made = echo(tmp_path / "echo")
        other = make_bundle(
            tmp_path / "other",
            manifest=FEATURES | {"input": IMAGE | {"width_px": 16}},
            echoes={"same": "images"},
        )
        bundle = Bundle(path=other.path, manifest=made.manifest)
        with pytest.raises(BundleError, match=r"float32 \[1, 3, 4, 16\].*manifest says"):
            load_backend(bundle, device="openvino")

    def test_what_it_cannot_read_is_the_bundles_fault(self, tmp_path: Path) -> None:
        bundle = echo(tmp_path / "echo")
        bundle.model_path.write_bytes(bundle.model_path.read_bytes()[:40])
        with pytest.raises(BundleError, match=r"model\.onnx"):
            load_backend(bundle, device="openvino")


def test_without_it_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(DeviceError, match=r"'openvino' cannot run.*robot_vision\[openvino\]"):
        load_backend(echo(tmp_path / "echo"), device="openvino")


def test_auto_never_takes_it(tmp_path: Path) -> None:
    assert load_backend(echo(tmp_path / "echo"), device="auto").provider != "openvino"
