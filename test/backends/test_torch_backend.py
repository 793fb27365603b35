"""PyTorch behind the same interface: exported programs, and weights of our own models."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from robot_vision.core.errors import BundleError, DeviceError
from robot_vision.core.files.code_permission import permit_code
from robot_vision.core.manifests.manifest import ModelManifest
from robot_vision.core.parameters.config import ServiceConfig
from robot_vision.core.parameters.values import with_values
from robot_vision.core.types import Frame
from robot_vision.model_store.store import Bundle, write_bundle

torch = pytest.importorskip("torch", reason="torch is for training and this back-end only")
save_file = pytest.importorskip("safetensors.torch").save_file

from robot_vision.backends import load_backend  # noqa: E402
from robot_vision.models.multitask.native import NativeSpec, build_native  # noqa: E402
from robot_vision.models.registry import MODELS  # noqa: E402
from robot_vision.models.weights import Weights, write_weights  # noqa: E402
from robot_vision.perception.perceiver import build_perceiver  # noqa: E402

DEPTH = {
    "name": "program",
    "task": "depth",
    "format": "depth_metric",
    "file": "model.pt2",
    "input": {"name": "images", "width_px": 8, "height_px": 4},
    "outputs": {"depth": "depth"},
}
NATIVE = {
    "name": "native",
    "task": "multitask",
    "format": "native",
    "file": "model.safetensors",
    "architecture": "native-s",
    "classes": ["cup", "bowl"],
    "input": {
        "name": "rgb",
        "width_px": 64,
        "height_px": 32,
        "dtype": "uint8",
        "layout": "nhwc",
        "depth_name": "depth_m",
        "focal_name": "focal_px",
    },
}


class Brightness(torch.nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.mean(dim=1, keepdim=True)


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Bundle]:
    """A program of our own, allowed as `--allow-code` does."""
    exported = torch.export.export(Brightness(), (torch.zeros(1, 3, 4, 8),))
    torch.export.save(exported, tmp_path / "exported.pt2")
    manifest = ModelManifest.model_validate(DEPTH)
    bundle = write_bundle(tmp_path / "bundle", manifest, tmp_path / "exported.pt2")
    permit_code(True)
    yield bundle
    permit_code(False)


def native(tmp_path: Path, **changes: object) -> Bundle:
    model = build_native(NativeSpec(classes=2))
    state = {name: value.contiguous() for name, value in model.state_dict().items()}
    save_file(state, tmp_path / "weights.safetensors")
    manifest = ModelManifest.model_validate(NATIVE | changes)
    return write_bundle(tmp_path / "native", manifest, tmp_path / "weights.safetensors")


def test_an_exported_program_runs(program: Bundle) -> None:
    backend = load_backend(program, device="cpu", threads=1)
    image = np.random.default_rng(0).random((1, 3, 4, 8), dtype=np.float32)
    output = backend.run({"images": image})["depth"]
    assert np.allclose(output, image.mean(axis=1, keepdims=True), atol=1e-6)
    assert backend.provider == "torch-cpu"
    backend.close()


def test_weights_of_a_registered_model_run_as_it_is_served(tmp_path: Path) -> None:
    backend = load_backend(native(tmp_path), device="cpu", threads=1)
    outputs = backend.run(
        {
            "rgb": np.zeros((1, 32, 64, 3), np.uint8),
            "depth_m": np.zeros((1, 1, 32, 64), np.float32),
            "focal_px": np.zeros((1, 1), np.float32),
        }
    )
    assert outputs["scores"].shape[2] == 2
    assert (outputs["scores"] >= 0).all()
    assert outputs["depth_m"].shape == (1, 1, 8, 16)


def test_our_own_model_fits_its_format_from_frame_to_percept(tmp_path: Path) -> None:
    config = with_values(
        ServiceConfig(device="cpu", threads=1),
        {"model": str(native(tmp_path).path), "detector.score_threshold": 1e-4},
    )
    perceiver = build_perceiver(config)
    rgb = np.random.default_rng(0).integers(0, 256, (96, 160, 3), dtype=np.uint8)
    depth_m = np.full((96, 160), 1.2, np.float32)
    depth_m[40:60] = np.nan
    frame = Frame(stamp_ns=1, frame_id="c", rgb=rgb, depth_m=depth_m)
    percept = perceiver.perceive(frame)
    assert len(percept.detections) > 0  # fresh weights: boxes of no meaning, but boxes
    assert percept.detections.mask is not None
    assert percept.depth is not None
    assert percept.depth.source == "fused"
    assert percept.features is not None
    assert np.linalg.norm(percept.features.embedding) == pytest.approx(1, abs=1e-5)


def test_an_unknown_architecture_lists_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"'native-x'.*native-s"):
        load_backend(native(tmp_path, architecture="native-x"), device="cpu")


def test_weights_of_another_shape_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        BundleError, match=r"of another shape: heads\.0\.classes\.bias \[2\] for \[1\]"
    ):
        load_backend(native(tmp_path, classes=["cup"]), device="cpu")


def described(tmp_path: Path, *, model: str, spec: dict[str, object]) -> Bundle:
    """A bundle of the card's tiny model, its weights with a spec beside them."""
    card = MODELS.get("native-s")
    tensors = card.build(card.tiny).state_dict()
    file = tmp_path / "weights.safetensors"
    write_weights(file, Weights(file=file, tensors=tensors, model=model, spec=spec))
    manifest = ModelManifest.model_validate(NATIVE | {"classes": ["cup", "bowl", "can"]})
    return write_bundle(tmp_path / "tiny", manifest, file)


def test_the_spec_beside_the_weights_says_what_is_built(tmp_path: Path) -> None:
    spec = MODELS.get("native-s").tiny.model_dump(mode="json")
    backend = load_backend(described(tmp_path, model="native-s", spec=spec), device="cpu")
    outputs = backend.run(
        {
            "focal_px": np.zeros((1, 1), np.float32),
            "depth_m": np.zeros((1, 1, 32, 64), np.float32),
            "rgb": np.zeros((1, 32, 64, 3), np.uint8),
        }
    )
    assert outputs["embedding"].shape == (1, spec["embedding"])


@pytest.mark.parametrize(
    ("model", "changes", "says"),
    [
        ("native-m", {}, "holds weights of 'native-m', expected 'native-s'"),
        ("native-s", {"stem": 10**9}, "stem = 1000000000: Input should be less than"),
        ("native-s", {"wings": 2}, "wings = 2: Extra inputs are not permitted"),
    ],
)
def test_a_strangers_spec_is_held_to_its_bounds(
    tmp_path: Path, model: str, changes: dict[str, object], says: str
) -> None:
    spec = MODELS.get("native-s").tiny.model_dump(mode="json") | changes
    with pytest.raises(BundleError, match=says):
        load_backend(described(tmp_path, model=model, spec=spec), device="cpu")


def test_a_model_that_is_several_networks_is_refused(tmp_path: Path) -> None:
    card = MODELS.get("policy-s")
    file = tmp_path / "weights.safetensors"
    spec = card.tiny.model_dump(mode="json")
    tensors = card.build(card.tiny).state_dict()
    write_weights(file, Weights(file=file, tensors=tensors, model="policy-s", spec=spec))
    manifest = ModelManifest.model_validate(NATIVE | {"architecture": "policy-s"})
    with pytest.raises(BundleError, match=r"served as language\.onnx, policy\.onnx; expected one"):
        load_backend(write_bundle(tmp_path / "policy", manifest, file), device="cpu")


def test_outputs_that_the_program_lacks_are_refused(program: Bundle) -> None:
    manifest = program.manifest.model_copy(update={"outputs": {"depth": "a", "more": "b"}})
    with pytest.raises(BundleError, match=r"returns 1 tensors; .*a, b"):
        load_backend(Bundle(path=program.path, manifest=manifest), device="cpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="torch has CUDA here")
def test_a_device_that_is_not_there_is_an_error(program: Bundle) -> None:
    for device in ("cuda", "tensorrt"):
        with pytest.raises(DeviceError, match=device):
            load_backend(program, device=device)
    assert "no CUDA" in load_backend(program, device="auto").fallback_reason
