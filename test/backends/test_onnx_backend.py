"""ONNX Runtime: the provider is proven, and what does not fit is refused at load."""

from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
from onnx_models import make_bundle, save_model

from robot_vision.backends import load_backend
from robot_vision.backends.io_binding import BoundRunner
from robot_vision.backends.onnx_session import SessionRequest
from robot_vision.core.errors import BundleError, DeviceError
from robot_vision.core.interfaces import Backend
from robot_vision.model_store.store import Bundle, write_bundle

IMAGE = {"name": "images", "width_px": 8, "height_px": 4}
FEATURES = {"task": "features", "format": "features", "input": IMAGE}
HAS_CUDA = "CUDAExecutionProvider" in ort.get_available_providers()
no_cuda = pytest.mark.skipif(HAS_CUDA, reason="this ONNX Runtime has CUDA")


def echo(folder: Path, **changes: object) -> Bundle:
    return make_bundle(folder, manifest=FEATURES | changes, echoes={"same": "images"})


def test_arrays_in_arrays_out_on_the_cpu(tmp_path: Path) -> None:
    backend = load_backend(echo(tmp_path / "echo"), device="cpu", threads=1)
    image = np.random.default_rng(0).random((1, 3, 4, 8), dtype=np.float32)
    assert np.array_equal(backend.run({"images": image})["same"], image)
    assert isinstance(backend, Backend)
    assert (backend.provider, backend.fallback_reason) == ("cpu", "")
    backend.close()


@no_cuda
def test_auto_falls_back_and_says_why(tmp_path: Path) -> None:
    backend = load_backend(echo(tmp_path / "echo"), device="auto")
    assert backend.provider == "cpu"
    assert "no CUDAExecutionProvider" in backend.fallback_reason


@no_cuda
@pytest.mark.parametrize("device", ["cuda", "tensorrt"])
def test_a_device_that_is_not_there_is_an_error_that_lists_what_is(
    tmp_path: Path, device: str
) -> None:
    with pytest.raises(DeviceError, match=rf"{device!r} cannot run: .*available here: cpu"):
        load_backend(echo(tmp_path / "echo"), device=device)


def test_an_unknown_device_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match=r"'tpu'.*auto, cpu, cuda, tensorrt"):
        load_backend(echo(tmp_path / "echo"), device="tpu")


def test_a_session_that_fell_back_silently_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As with a CUDA build whose libraries are missing: ONNX Runtime goes on with the CPU.
    listed = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(ort, "get_available_providers", lambda: listed)
    with (
        pytest.warns(UserWarning, match="not in available"),
        pytest.raises(DeviceError, match="cuda: ONNX Runtime fell back to CPUExecutionProvider"),
    ):
        load_backend(echo(tmp_path / "echo"), device="cuda")


def test_the_first_build_of_an_engine_is_announced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = ["TensorrtExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(ort, "get_available_providers", lambda: listed)
    bundle, said = echo(tmp_path / "echo"), []
    with pytest.warns(UserWarning, match="not in available"), pytest.raises(DeviceError):
        load_backend(
            bundle,
            device="tensorrt",
            engine_cache_dir=tmp_path / "engines",
            announce=said.append,
        )
    folder = tmp_path / "engines" / f"echo-{bundle.manifest.sha256[:12]}"
    assert folder.is_dir()
    assert said == [f"building the TensorRT engine of echo@1 in {folder} (minutes, once): started"]


def test_auto_goes_on_with_the_cpu_where_cuda_breaks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(ort, "get_available_providers", lambda: listed)
    with pytest.warns(UserWarning, match="not in available"):
        backend = load_backend(echo(tmp_path / "echo"), device="auto")
    assert backend.provider == "cpu"
    assert "fell back to CPUExecutionProvider" in backend.fallback_reason


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"input": IMAGE | {"name": "pixels"}}, r"inputs are pixels; the model has: images"),
        ({"input": IMAGE | {"width_px": 16}}, r"\[1, 3, 4, 8\], .* float32 \[1, 3, 4, 16\]"),
        ({"input": IMAGE | {"dtype": "uint8"}}, r"is float32 .*manifest says uint8"),
        ({"input": IMAGE | {"layout": "nhwc"}}, r"manifest says float32 \[1, 4, 8, 3\]"),
        ({"input": IMAGE | {"depth_name": "depth"}}, r"images, depth; the model has: images"),
        ({"outputs": {"features": "grid"}}, r"no output 'grid'; it has: same"),
    ],
)
def test_a_model_that_is_not_what_its_manifest_says_is_refused(
    tmp_path: Path, change: dict[str, object], message: str
) -> None:
    bundle = echo(tmp_path / "echo")
    manifest = bundle.manifest.model_validate(bundle.manifest.model_dump() | change)
    with pytest.raises(BundleError, match=message):
        load_backend(Bundle(path=bundle.path, manifest=manifest), device="cpu")


def test_a_file_that_is_not_a_model_is_refused(tmp_path: Path) -> None:
    bundle = echo(tmp_path / "echo")
    bundle.model_path.write_bytes(b"not a model")
    with pytest.raises(BundleError, match="is not an ONNX model"):
        load_backend(bundle, device="cpu")


def test_a_file_of_unknown_kind_lists_what_runs(tmp_path: Path) -> None:
    bundle = echo(tmp_path / "echo", file="model.tflite")
    with pytest.raises(BundleError, match=r"'model\.tflite'.*\.onnx, \.pt2, \.safetensors"):
        load_backend(bundle, device="cpu")


def test_open_dimensions_are_those_of_the_manifest(tmp_path: Path) -> None:
    inputs = {"images": (("batch", 3, "height", "width"), np.float32)}
    file = save_model(tmp_path / "open.onnx", inputs=inputs, echoes={"same": "images"})
    manifest = echo(tmp_path / "echo").manifest
    backend = load_backend(write_bundle(tmp_path / "open", manifest, file), device="cpu")
    image = np.ones((1, 3, 4, 8), np.float32)
    assert backend.run({"images": image})["same"].shape == (1, 3, 4, 8)


def test_bound_inputs_give_what_a_plain_run_gives(tmp_path: Path) -> None:
    file = echo(tmp_path / "echo").model_path
    session = ort.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    blank = {"images": np.zeros((1, 3, 4, 8), np.float32)}
    runner = BoundRunner(session, blank, ["same"], device="cpu")
    results = []
    for seed in range(3):  # each run has its own outputs, the inputs' memory is reused
        image = np.random.default_rng(seed).random((1, 3, 4, 8), dtype=np.float32)
        results.append((image, runner.run({"images": image})["same"]))
    for image, output in results:
        assert np.array_equal(output, image)


def test_the_name_of_a_bundle_leads_to_no_other_folder_of_engines(tmp_path: Path) -> None:
    bundle = echo(tmp_path / "echo")
    manifest = bundle.manifest.model_copy(update={"name": "../../evil/" + "x" * 300})
    request = SessionRequest(
        bundle=Bundle(path=bundle.path, manifest=manifest),
        device="tensorrt",
        threads=1,
        spin=True,
        engine_cache_dir=tmp_path / "cache",
        announce=print,
    )
    assert request.engine_dir.parent == tmp_path / "cache"
    request.engine_dir.mkdir(parents=True)
    assert request.engine_dir.resolve().is_relative_to(tmp_path / "cache")
