"""Sessions of ONNX Runtime on the CPU, CUDA or TensorRT, proven by a run before use."""

import os
import re
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnxruntime as ort

from robot_vision.backends.contract import TensorSpec, blank_inputs, check_inputs
from robot_vision.backends.progress import announced
from robot_vision.core.errors import BundleError, DeviceError
from robot_vision.model_store.onnx_open import open_onnx
from robot_vision.model_store.store import Bundle

_PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
}
# TensorRT takes minutes to build an engine at first use, so it is used only on request.
_TRIED = {"auto": ("cuda", "cpu"), "cpu": ("cpu",), "cuda": ("cuda",), "tensorrt": ("tensorrt",)}
_DTYPES = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(double)": "float64",
    "tensor(uint8)": "uint8",
    "tensor(int32)": "int32",
    "tensor(int64)": "int64",
    "tensor(bool)": "bool",
}


@dataclass(frozen=True, kw_only=True)
class SessionRequest:
    """What to run and how: `load_backend`'s arguments."""

    bundle: Bundle
    device: str
    threads: int
    spin: bool
    engine_cache_dir: Path
    announce: Callable[[str], None]

    @property
    def engine_dir(self) -> Path:
        """Where TensorRT keeps this model's engines."""
        manifest = self.bundle.manifest
        # An untrusted name must not lead to another folder: an engine is a program.
        name = re.sub(r"[^\w.-]", "_", manifest.name)[:64]
        return self.engine_cache_dir.expanduser() / f"{name}-{manifest.sha256[:12]}"


@dataclass(frozen=True, kw_only=True)
class OpenSession:
    """A session that has run, the provider that ran it, and why no better one did."""

    session: ort.InferenceSession
    provider: str
    fallback_reason: str


def open_session(request: SessionRequest) -> OpenSession:
    """Open the model on the first provider for the device that runs it.

    Raises `DeviceError` if there is none, `BundleError` if the model is at fault.
    """
    if request.device not in _TRIED:
        expected = ", ".join((*_TRIED, "openvino"))
        raise DeviceError(f"unknown device {request.device!r}; expected one of: {expected}")
    *preferred, last = _TRIED[request.device]
    reasons = []
    for provider in preferred:
        try:
            return OpenSession(
                session=_open(request, provider), provider=provider, fallback_reason=""
            )
        except (DeviceError, BundleError) as error:
            reasons.append(str(error))
    try:
        session = _open(request, last)
    except DeviceError as error:
        raise DeviceError(
            f"device {request.device!r} cannot run: {'; '.join([*reasons, str(error)])}; "
            f"available here: {', '.join(available_devices())}"
        ) from error
    return OpenSession(session=session, provider=last, fallback_reason="; ".join(reasons))


def available_devices() -> list[str]:
    """Devices that this build of ONNX Runtime has providers for."""
    built_in = ort.get_available_providers()
    return [device for device, provider in _PROVIDERS.items() if provider in built_in]


def _open(request: SessionRequest, provider: str) -> ort.InferenceSession:
    name = _PROVIDERS[provider]
    if name not in ort.get_available_providers():
        raise DeviceError(f"{provider}: this build of ONNX Runtime has no {name}")
    if provider != "cpu" and hasattr(ort, "preload_dlls"):
        ort.preload_dlls()  # finds CUDA's libraries where pip put them
    with _build_notice(request, provider):
        session = _create(request, provider)
        active = session.get_providers()[0]
        if active != name:
            raise DeviceError(f"{provider}: ONNX Runtime fell back to {active}; see its log")
        _warm_up(request.bundle, session)
    return session


def _create(request: SessionRequest, provider: str) -> ort.InferenceSession:
    providers: list[Any] = [(_PROVIDERS[provider], _provider_options(request, provider))]
    if provider == "tensorrt":
        providers.append(_PROVIDERS["cuda"])
    if provider != "cpu":
        providers.append(_PROVIDERS["cpu"])
    return open_onnx(
        request.bundle.model_path,
        session_options(request.threads, spin=request.spin),
        providers=providers,
    )


def session_options(threads: int, *, spin: bool = True) -> ort.SessionOptions:
    """Options as the service runs models; `threads` 0 takes all cores."""
    options = ort.SessionOptions()
    # Explicit, so that a container's CPU set counts and threads are not pinned to cores.
    options.intra_op_num_threads = threads or len(os.sched_getaffinity(0))
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", str(int(spin)))
    # Threads poll within a run, which saves wake-ups; between frames the cores are free for
    # others.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    return options


def _provider_options(request: SessionRequest, provider: str) -> dict[str, str]:
    if provider != "tensorrt":
        return {}
    folder = request.engine_dir
    folder.mkdir(parents=True, exist_ok=True)
    return {
        "trt_engine_cache_enable": "1",
        "trt_engine_cache_path": str(folder),
        "trt_timing_cache_enable": "1",
        "trt_timing_cache_path": str(folder),
        "trt_fp16_enable": "0" if request.bundle.manifest.precision == "fp32" else "1",
    }


def _build_notice(request: SessionRequest, provider: str) -> AbstractContextManager[None]:
    if provider != "tensorrt" or any(request.engine_dir.glob("*.engine")):
        return nullcontext()
    model_id = request.bundle.manifest.model_id
    work = f"building the TensorRT engine of {model_id} in {request.engine_dir} (minutes, once)"
    return announced(work, announce=request.announce)


def _warm_up(bundle: Bundle, session: ort.InferenceSession) -> None:
    """Check the model's inputs against its manifest and run it once."""
    model_inputs = {
        str(tensor.name): TensorSpec(
            shape=tuple(size if isinstance(size, int) else None for size in tensor.shape),
            dtype=_DTYPES.get(str(tensor.type), str(tensor.type)),
        )
        for tensor in session.get_inputs()
    }
    check_inputs(bundle.manifest, model_inputs)
    try:
        session.run(None, blank_inputs(bundle.manifest))
    except Exception as error:  # ONNX Runtime's exceptions share no base but this
        raise BundleError(f"{bundle.model_path} fails on a blank frame: {error}") from error
