"""Memory of a CUDA device through `libcudart`, which is wherever TensorRT is.

A Jetson has the library and neither cuda-python nor, as a rule, torch. Calls as in NVIDIA's CUDA
Runtime API reference. Untested on a GPU: none was at hand.
"""

import ctypes
import ctypes.util

import numpy as np
from jaxtyping import Shaped

from robot_vision.core.errors import DeviceError

_LIBRARIES = ("libcudart.so.13", "libcudart.so.12", "libcudart.so")
_TO_DEVICE, _TO_HOST = 1, 2  # of cudaMemcpyKind


class CudaRuntime:
    """A stream on one device, and memory on it by address; raises `DeviceError` if CUDA fails."""

    def __init__(self) -> None:
        self._library = _open_library()
        stream = ctypes.c_void_p()
        self._call("cudaStreamCreate", ctypes.byref(stream))
        self.stream = stream.value or 0

    def allocate(self, size_bytes: int) -> int:
        """The address of so many bytes on the device."""
        address = ctypes.c_void_p()
        self._call("cudaMalloc", ctypes.byref(address), ctypes.c_size_t(size_bytes))
        return address.value or 0

    def upload(self, address: int, array: Shaped[np.ndarray, "..."]) -> None:
        """Copy a contiguous array to the device, in the stream's order."""
        self._copy(address, array.ctypes.data, array.nbytes, _TO_DEVICE)

    def download(self, array: Shaped[np.ndarray, "..."], address: int) -> None:
        """Copy into a contiguous array; the data have arrived after `wait`."""
        self._copy(array.ctypes.data, address, array.nbytes, _TO_HOST)

    def wait(self) -> None:
        """Return when all work queued on the stream is done."""
        self._call("cudaStreamSynchronize", ctypes.c_void_p(self.stream))

    def close(self, addresses: list[int]) -> None:
        """Free the memory and the stream."""
        for address in addresses:
            self._call("cudaFree", ctypes.c_void_p(address))
        self._call("cudaStreamDestroy", ctypes.c_void_p(self.stream))

    def _copy(self, target: int, source: int, size_bytes: int, kind: int) -> None:
        self._call(
            "cudaMemcpyAsync",
            ctypes.c_void_p(target),
            ctypes.c_void_p(source),
            ctypes.c_size_t(size_bytes),
            ctypes.c_int(kind),
            ctypes.c_void_p(self.stream),
        )

    def _call(self, function: str, *arguments: object) -> None:
        status = getattr(self._library, function)(*arguments)
        if status:
            describe = self._library.cudaGetErrorString
            describe.restype = ctypes.c_char_p
            reason = (describe(status) or b"unknown error").decode(errors="replace")
            raise DeviceError(f"CUDA: {function} failed: {reason} ({status})")


def _open_library() -> ctypes.CDLL:
    for name in (*_LIBRARIES, ctypes.util.find_library("cudart")):
        try:
            if name:
                return ctypes.CDLL(name)
        except OSError:
            continue
    raise DeviceError(
        f"no CUDA runtime library was found (tried {', '.join(_LIBRARIES)}); TensorRT needs one: "
        "install CUDA, or name its folder in LD_LIBRARY_PATH"
    )
