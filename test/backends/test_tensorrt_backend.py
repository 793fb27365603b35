"""TensorRT engines: what is refused and why, and the back-end against a stand-in.

No GPU is at hand: `FakeTensorRT` has the part of the Python API that the back-end uses, and
`HostMemory` plays the device's. What they cannot show is whether the real ones agree.
"""

import ctypes
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from robot_vision.backends import load_backend, tensorrt_backend
from robot_vision.backends.cuda_runtime import CudaRuntime
from robot_vision.backends.engine_file import read_engine
from robot_vision.core.errors import BundleError, DeviceError, MissingDependencyError
from robot_vision.core.files.code_permission import permit_code
from robot_vision.core.manifests.manifest import ModelManifest
from robot_vision.model_store.store import Bundle, find_bundle, write_bundle

PLAN = b"ftrt" + bytes(60)
MANIFEST = {
    "name": "engine",
    "task": "depth",
    "format": "depth_metric",
    "file": "model.engine",
    "input": {"name": "images", "width_px": 8, "height_px": 4},
    "outputs": {"depth": "depth"},
}


class HostMemory:
    """The device's memory, played by the host's."""

    stream = 7

    def __init__(self) -> None:
        self.blocks: dict[int, Any] = {}

    def allocate(self, size_bytes: int) -> int:
        block = ctypes.create_string_buffer(size_bytes)
        self.blocks[ctypes.addressof(block)] = block
        return ctypes.addressof(block)

    def upload(self, address: int, array: np.ndarray) -> None:
        ctypes.memmove(address, array.ctypes.data, array.nbytes)

    def download(self, array: np.ndarray, address: int) -> None:
        ctypes.memmove(array.ctypes.data, address, array.nbytes)

    def wait(self) -> None:
        pass

    def close(self, addresses: list[int]) -> None:
        for address in addresses:
            del self.blocks[address]


class FakeEngine:
    """Takes `images` of any size and gives `depth`, the mean over its colours."""

    num_io_tensors = 2
    output_shape: tuple[int, ...] = (-1, 1, -1, -1)
    limit_px = 8
    runs = True

    def __init__(self) -> None:
        self.address: dict[str, int] = {}
        self.size: tuple[int, ...] = ()

    def get_tensor_name(self, index: int) -> str:
        return ("images", "depth")[index]

    def get_tensor_mode(self, name: str) -> str:
        return "input" if name == "images" else "output"

    def get_tensor_dtype(self, _name: str) -> str:
        return "FLOAT"

    def create_execution_context(self) -> "FakeEngine":
        return self

    def set_input_shape(self, _name: str, shape: tuple[int, ...]) -> bool:
        self.size = shape
        return shape[3] <= self.limit_px

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        if name == "images":
            return (-1, 3, -1, -1)
        known = (1, 1, *self.size[2:])
        return known if self.output_shape[1] == 1 else self.output_shape

    def set_tensor_address(self, name: str, address: int) -> None:
        self.address[name] = address

    def execute_async_v3(self, _stream: int) -> bool:
        height, width = self.size[2:]
        floats = ctypes.c_float * (3 * height * width)
        pixels = np.array(floats.from_address(self.address["images"])).reshape(3, height, width)
        mean = pixels.mean(axis=0, dtype=np.float32)
        ctypes.memmove(self.address["depth"], mean.ctypes.data, mean.nbytes)
        return self.runs


class FakeTensorRT:
    __version__ = "10.3.0"
    TensorIOMode = SimpleNamespace(INPUT="input")

    class Logger:
        WARNING = 1

        def __init__(self, level: int) -> None: ...

    def __init__(self, engine: FakeEngine | None) -> None:
        self.engine = engine
        self.plan = b""

    def Runtime(self, _logger: Any) -> "FakeTensorRT":
        return self

    def deserialize_cuda_engine(self, plan: bytes) -> FakeEngine | None:
        self.plan = plan
        return self.engine

    def nptype(self, kind: str) -> Any:
        if kind == "FLOAT":
            return np.float32
        raise TypeError(f"Could not resolve TensorRT datatype {kind}")


@pytest.fixture(autouse=True)
def _allowed() -> Iterator[None]:
    permit_code(True)
    yield
    permit_code(False)


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> HostMemory:
    memory = HostMemory()
    monkeypatch.setattr(tensorrt_backend, "CudaRuntime", lambda: memory)
    return memory


def installed(monkeypatch: pytest.MonkeyPatch, engine: FakeEngine | None = None) -> FakeTensorRT:
    fake = FakeTensorRT(engine)
    monkeypatch.setitem(sys.modules, "tensorrt", fake)
    return fake


def bundle(tmp_path: Path, content: bytes = PLAN, **changes: Any) -> Bundle:
    (tmp_path / "net.engine").write_bytes(content)
    manifest = ModelManifest.model_validate(MANIFEST | changes)
    written = write_bundle(tmp_path / "b", manifest, tmp_path / "net.engine")
    return find_bundle(written.path)


def with_header(metadata: Any) -> bytes:
    text = json.dumps(metadata).encode()
    return len(text).to_bytes(4, "little") + text + PLAN


@pytest.mark.usefixtures("memory")
def test_nobody_loads_it_without_permission(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = installed(monkeypatch, FakeEngine())
    permit_code(False)
    with pytest.raises(BundleError, match=r"any code.*ONNX file.*pass --allow-code"):
        load_backend(bundle(tmp_path), device="auto")
    assert not fake.plan


def test_where_tensorrt_is_absent_the_alternative_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    with pytest.raises(MissingDependencyError, match=r"tensorrt 10 or newer.*import the ONNX"):
        load_backend(bundle(tmp_path), device="auto")


def test_an_older_tensorrt_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installed(monkeypatch), "__version__", "8.6.1")
    with pytest.raises(MissingDependencyError, match=r"10 or newer; here is 8\.6\.1"):
        load_backend(bundle(tmp_path), device="auto")


def test_a_cpu_runs_no_engine(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match="cannot run on device 'cpu'"):
        load_backend(bundle(tmp_path), device="cpu")


@pytest.mark.usefixtures("memory")
def test_an_engine_of_another_version_is_refused_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(monkeypatch, engine=None)
    with pytest.raises(BundleError, match=r"TensorRT 10\.3\.0 on this GPU.*built with"):
        load_backend(bundle(tmp_path), device="tensorrt")


@pytest.mark.parametrize("content", [PLAN, with_header({"names": {"0": "cup"}})])
def test_arrays_go_in_and_come_out(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, memory: HostMemory
) -> None:
    fake = installed(monkeypatch, FakeEngine())
    backend = load_backend(bundle(tmp_path, content), device="auto")
    assert fake.plan == PLAN
    assert backend.provider == "tensorrt"
    pixels = np.random.default_rng(0).random((1, 3, 4, 8), np.float32)
    first = backend.run({"images": pixels})["depth"]
    backend.run({"images": 1 - pixels})
    np.testing.assert_allclose(first, pixels.mean(axis=1, keepdims=True), rtol=1e-6)
    backend.close()
    assert not memory.blocks


@pytest.mark.usefixtures("memory")
def test_a_size_that_the_engine_was_not_built_for_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(monkeypatch, FakeEngine())
    wide = {"name": "images", "width_px": 16, "height_px": 4}
    with pytest.raises(BundleError, match=r"not built for input 'images' of \[1, 3, 4, 16\]"):
        load_backend(bundle(tmp_path, input=wide), device="auto")


@pytest.mark.usefixtures("memory")
def test_outputs_whose_shape_depends_on_what_is_seen_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = FakeEngine()
    engine.output_shape = (1, -1)
    installed(monkeypatch, engine)
    with pytest.raises(BundleError, match=r"\[1, -1\] of output 'depth' depends"):
        load_backend(bundle(tmp_path), device="auto")


@pytest.mark.usefixtures("memory")
def test_a_run_that_fails_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = FakeEngine()
    engine.runs = False
    installed(monkeypatch, engine)
    with pytest.raises(DeviceError, match="could not run the engine"):
        load_backend(bundle(tmp_path), device="auto")


def test_metadata_before_the_plan_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.engine").write_bytes(with_header({"stride": 32, "task": "detect"}))
    found = read_engine(tmp_path / "a.engine")
    assert found.plan == PLAN
    assert found.metadata == {"stride": "32", "task": "detect"}


@pytest.mark.parametrize(
    "content",
    [b"", b"\x05", b"\x05\0\0\0", b"\xff\xff\xff\xff{}", PLAN, b"\x05\0\0\0abc"],
    ids=["empty", "short", "no object", "too long", "plain", "another header"],
)
def test_input_that_is_not_a_header_is_the_plan(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.engine").write_bytes(content)
    assert read_engine(tmp_path / "a.engine").plan == content


@pytest.mark.parametrize("header", [b"\x06\0\0\0{'a':}", b"\x09\0\0\0{}", b"\x02\0\0\0{\xff"])
def test_a_damaged_header_is_named(tmp_path: Path, header: bytes) -> None:
    (tmp_path / "a.engine").write_bytes(header)
    with pytest.raises(BundleError, match=r"not valid JSON|within its metadata"):
        read_engine(tmp_path / "a.engine")


@pytest.mark.skipif(Path("/dev/nvidiactl").exists(), reason="this machine has a GPU")
def test_without_a_gpu_the_error_names_cuda() -> None:
    with pytest.raises(DeviceError, match="CUDA"):
        CudaRuntime()
