"""TensorRT engines behind the same interface, where TensorRT is installed.

Uses the Python API of TensorRT 10 (NVIDIA's "TensorRT Developer Guide"): tensors by name, memory
by address. An engine holds machine code for one type of GPU and one version of TensorRT; its
author can run any code, so it is opened only with `--allow-code`. Untested on a GPU: none was
available; the tests use a stand-in for the two libraries.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from robot_vision.backends.contract import TensorSpec, blank_inputs, check_inputs, wanted_outputs
from robot_vision.backends.cuda_runtime import CudaRuntime
from robot_vision.backends.engine_file import read_engine
from robot_vision.core.errors import BundleError, DeviceError, MissingDependencyError
from robot_vision.model_store.file_kinds import refuse_code
from robot_vision.model_store.store import Bundle

_DEVICES = ("auto", "cuda", "tensorrt")
_OLDEST = 10
_ALTERNATIVE = (
    "or import the ONNX file that the engine was built from: it runs anywhere, and with "
    "--device tensorrt its engine is built where it runs, and kept"
)


class TensorRTBackend:
    """One engine with its tensors in device memory. `provider` is tensorrt, proven by a run."""

    provider = "tensorrt"
    fallback_reason = ""

    def __init__(self, bundle: Bundle, *, device: str) -> None:
        if device not in _DEVICES:
            raise DeviceError(
                f"{bundle.model_path} is a TensorRT engine and cannot run on device {device!r}; "
                f"expected {', '.join(_DEVICES)}; {_ALTERNATIVE}"
            )
        self._trt = _tensorrt()
        self._cuda = CudaRuntime()
        self._addresses: dict[str, int] = {}
        self._engine = _deserialised(self._trt, bundle)
        self._context = self._engine.create_execution_context()
        inputs, outputs = self._tensors(bundle)
        check_inputs(bundle.manifest, inputs)
        wanted = wanted_outputs(bundle.manifest, outputs)
        blank = blank_inputs(bundle.manifest)
        self._bind(bundle, blank, outputs)
        self._wanted = {name: self._host[name] for name in wanted}
        self.run(blank)

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The model's outputs by tensor name; raises `DeviceError` where the device fails."""
        for name, array in inputs.items():
            np.copyto(self._host[name], array)
            self._cuda.upload(self._addresses[name], self._host[name])
        if not self._context.execute_async_v3(self._cuda.stream):
            raise DeviceError("TensorRT could not run the engine; its log says why")
        for name, array in self._wanted.items():
            self._cuda.download(array, self._addresses[name])
        self._cuda.wait()
        return {name: array.copy() for name, array in self._wanted.items()}

    def close(self) -> None:
        """Release the engine and its memory."""
        del self._context, self._engine
        self._cuda.close(list(self._addresses.values()))

    def _tensors(self, bundle: Bundle) -> tuple[dict[str, TensorSpec], list[str]]:
        """Inputs with their shapes, and the names of the outputs."""
        inputs, outputs = {}, []
        for index in range(self._engine.num_io_tensors):
            name = self._engine.get_tensor_name(index)
            if self._engine.get_tensor_mode(name) != self._trt.TensorIOMode.INPUT:
                outputs.append(name)
                continue
            shape = tuple(None if n < 0 else n for n in self._engine.get_tensor_shape(name))
            inputs[name] = TensorSpec(shape=shape, dtype=str(self._dtype(bundle, name)))
        return inputs, outputs

    def _bind(self, bundle: Bundle, blank: Mapping[str, np.ndarray], outputs: list[str]) -> None:
        """Give each tensor memory on both sides; open shapes follow those of the inputs."""
        self._host = {name: np.ascontiguousarray(array) for name, array in blank.items()}
        for name, array in blank.items():
            if not self._context.set_input_shape(name, array.shape):
                raise BundleError(
                    f"{bundle.model_path}: the engine was not built for input {name!r} of "
                    f"{list(array.shape)}; build it for that size, or set it in model.yaml"
                )
        for name in outputs:
            shape = tuple(self._context.get_tensor_shape(name))
            if min(shape, default=0) < 0:
                raise BundleError(
                    f"{bundle.model_path}: the shape {list(shape)} of output {name!r} depends on "
                    f"the picture, which this back-end does not support; {_ALTERNATIVE}"
                )
            self._host[name] = np.empty(shape, self._dtype(bundle, name))
        for name, array in self._host.items():
            self._addresses[name] = self._cuda.allocate(array.nbytes)
            self._context.set_tensor_address(name, self._addresses[name])

    def _dtype(self, bundle: Bundle, name: str) -> np.dtype:
        kind = self._engine.get_tensor_dtype(name)
        try:
            return np.dtype(self._trt.nptype(kind))
        except TypeError as error:
            raise BundleError(
                f"{bundle.model_path}: tensor {name!r} is {kind}, which NumPy does not have; "
                "export it with float32 inputs and outputs"
            ) from error


def _tensorrt() -> Any:
    """The package, if installed and new enough; none of our requirements includes it."""
    need = f"a TensorRT engine needs the package tensorrt {_OLDEST} or newer"
    try:
        import tensorrt
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            f"{need}, which is not installed: on a Jetson it comes with JetPack 6.1 "
            "(apt install python3-libnvinfer), elsewhere with pip install tensorrt; "
            f"{_ALTERNATIVE}"
        ) from error
    if int(tensorrt.__version__.partition(".")[0]) < _OLDEST:
        raise MissingDependencyError(f"{need}; here is {tensorrt.__version__}; {_ALTERNATIVE}")
    return tensorrt


def _deserialised(trt: Any, bundle: Bundle) -> Any:
    refuse_code(bundle.model_path)
    runtime = trt.Runtime(trt.Logger(trt.Logger.WARNING))
    engine = runtime.deserialize_cuda_engine(read_engine(bundle.model_path).plan)
    if engine is None:
        raise BundleError(
            f"{bundle.model_path} cannot be loaded by TensorRT {trt.__version__} on this GPU: an "
            "engine runs with the version and the kind of GPU that it was built with. Build it "
            f"here, {_ALTERNATIVE}"
        )
    return engine
