"""Runs a session with its inputs bound once to device memory, filled through pinned buffers."""

import logging
from collections.abc import Mapping, Sequence

import numpy as np
import onnxruntime as ort

_log = logging.getLogger(__name__)


class BoundRunner:
    """Inputs live in device memory for the life of the session; outputs come back to the host.

    Where ONNX Runtime offers pinned host memory, the copy to the device starts from there.
    """

    def __init__(
        self,
        session: ort.InferenceSession,
        blank: Mapping[str, np.ndarray],
        outputs: Sequence[str],
        *,
        device: str,
    ) -> None:
        self._session = session
        self._outputs = list(outputs)
        self._binding = session.io_binding()
        self._on_device: dict[str, ort.OrtValue] = {}
        self._staging: dict[str, np.ndarray] = {}
        self._pinned: list[ort.OrtValue] = []  # owners of the staging arrays' memory
        for name, array in blank.items():
            value = ort.OrtValue.ortvalue_from_numpy(array, device, 0)
            self._binding.bind_ortvalue_input(name, value)
            self._on_device[name] = value
            self._staging[name] = self._staging_array(array, device)
        for name in self._outputs:
            self._binding.bind_output(name, "cpu")

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        for name, array in inputs.items():
            np.copyto(self._staging[name], array)
            self._on_device[name].update_inplace(self._staging[name])
        self._session.run_with_iobinding(self._binding)
        values = self._binding.copy_outputs_to_cpu()
        return dict(zip(self._outputs, values, strict=True))

    def _staging_array(self, like: np.ndarray, device: str) -> np.ndarray:
        """A host array to fill: in pinned memory where this ONNX Runtime has it for `device`."""
        if device != "cuda" or not hasattr(ort, "get_ep_devices"):
            return np.empty_like(like)
        try:
            pinned = ort.OrtValue.ortvalue_from_shape_and_type(
                like.shape, like.dtype.type, memory_info=_pinned_memory()
            )
            self._pinned.append(pinned)
            return pinned.numpy()
        except Exception as error:  # ONNX Runtime's exceptions share no base but this
            _log.warning("no pinned memory, copies to the device take longer: %s", error)
            return np.empty_like(like)


def _pinned_memory() -> object:
    """Host memory that the CUDA device reads directly."""
    cuda = next(d for d in ort.get_ep_devices() if d.ep_name == "CUDAExecutionProvider")
    return cuda.memory_info(ort.OrtDeviceMemoryType.HOST_ACCESSIBLE)
