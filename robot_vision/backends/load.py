"""Chooses the back-end for a bundle by the suffix of its model's file."""

import logging
from collections.abc import Callable
from pathlib import Path

from robot_vision.core.errors import BundleError, MissingDependencyError
from robot_vision.core.interfaces import Backend
from robot_vision.model_store.file_kinds import external_files, refuse_code
from robot_vision.model_store.store import Bundle

_log = logging.getLogger(__name__)

_DEFAULT_ENGINE_CACHE = "~/.cache/robot_vision/engines"
TORCH_SUFFIXES = (".pt2", ".safetensors")
ENGINE_SUFFIXES = (".engine", ".plan", ".trt")


def load_backend(
    bundle: Bundle,
    *,
    device: str = "auto",
    threads: int = 0,
    spin: bool = True,
    engine_cache_dir: str | Path = "",
    announce: Callable[[str], None] = _log.warning,
) -> Backend:
    """Load and warm the model of `bundle`; it has run once on `device` when this returns.

    `device` is auto, cpu, cuda, tensorrt or openvino; `threads` 0 takes all cores; `spin` lets
    ONNX Runtime's threads poll for work within a run. `announce` receives messages about steps
    that take long.
    Raises `DeviceError` if the device is not available and `BundleError` if the model cannot be
    loaded, is not what its manifest says, or could run code without permission (`--allow-code`).
    """
    refuse_code(bundle.model_path)
    external_files(bundle.model_path)
    suffix = bundle.model_path.suffix.lower()
    if suffix == ".onnx" and device == "openvino":
        from robot_vision.backends.openvino_backend import OpenVinoBackend

        return OpenVinoBackend(bundle, threads=threads)
    if suffix == ".onnx":
        from robot_vision.backends.onnx_backend import OnnxBackend
        from robot_vision.backends.onnx_session import SessionRequest

        request = SessionRequest(
            bundle=bundle,
            device=device,
            threads=threads,
            spin=spin,
            engine_cache_dir=Path(engine_cache_dir or _DEFAULT_ENGINE_CACHE),
            announce=announce,
        )
        return OnnxBackend(request)
    if suffix in TORCH_SUFFIXES:
        try:
            from robot_vision.backends.torch_backend import TorchBackend
        except ModuleNotFoundError as error:
            raise MissingDependencyError(
                f"bundle {bundle.manifest.name!r} needs {error.name}, which is not installed: "
                f"pip install 'robot_vision[train]'"
            ) from error

        return TorchBackend(bundle, device=device, threads=threads)
    if suffix in ENGINE_SUFFIXES:
        from robot_vision.backends.tensorrt_backend import TensorRTBackend

        return TensorRTBackend(bundle, device=device)
    raise BundleError(
        f"bundle {bundle.manifest.name!r}: no back-end runs {bundle.manifest.file!r}; "
        f"files that run: {', '.join(('.onnx', *TORCH_SUFFIXES, *ENGINE_SUFFIXES))}"
    )
