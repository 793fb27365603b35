"""ONNX Runtime on the CPU, CUDA or TensorRT. The provider is proven by a run, not assumed."""

import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

from robot_vision.backends.contract import (
    TensorSpec,
    blank_inputs,
    check_inputs,
    wanted_outputs,
)
from robot_vision.backends.io_binding import BoundRunner
from robot_vision.backends.progress import announced
from robot_vision.core.errors import BundleError, DeviceError
from robot_vision.model_store.store import Bundle

_PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
}
# TensorRT builds an engine for minutes at first use, so it is used only where it is asked for.
_TRIED = {"auto": ("cuda", "cpu"), "cpu": ("cpu",), "cuda": ("cuda",), "tensorrt": ("tensorrt",)}
_DEFAULT_CACHE = "~/.cache/robot_vision/engines"
_DTYPES = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(double)": "float64",
    "tensor(uint8)": "uint8",
    "tensor(int32)": "int32",
    "tensor(int64)": "int64",
}


class OnnxBackend:
    """One ONNX model in a session. `provider` is the one that did the warm-up run."""

    def __init__(
        self,
        bundle: Bundle,
        *,
        device: str,
        threads: int,
        engine_cache_dir: str | Path,
        announce: Callable[[str], None],
    ) -> None:
        self._manifest = bundle.manifest
        self.provider, self.fallback_reason, self._session = _open_first(
            bundle, device, threads, Path(engine_cache_dir or _DEFAULT_CACHE), announce
        )
        self._outputs = wanted_outputs(
            self._manifest, [output.name for output in self._session.get_outputs()]
        )
        self._bound = None
        if self.provider != "cpu":
            self._bound = BoundRunner(
                self._session, blank_inputs(self._manifest), self._outputs, device="cuda"
            )

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The model's outputs by tensor name."""
        if self._bound is not None:
            return self._bound.run(inputs)
        values = self._session.run(self._outputs, dict(inputs))
        return dict(zip(self._outputs, values, strict=True))  # pyright: ignore[reportReturnType]

    def close(self) -> None:
        """Release the session and its memory."""
        self._bound = None
        del self._session


def _open_first(
    bundle: Bundle,
    device: str,
    threads: int,
    cache_dir: Path,
    announce: Callable[[str], None],
) -> tuple[str, str, ort.InferenceSession]:
    """The first provider for `device` that runs the model, and why those before it did not."""
    if device not in _TRIED:
        raise DeviceError(f"unknown device {device!r}; expected one of: {', '.join(_TRIED)}")
    reasons = []
    for provider in _TRIED[device]:
        try:
            session = _open(bundle, provider, threads, cache_dir, announce)
        except DeviceError as error:
            reasons.append(str(error))
            continue
        return provider, "; ".join(reasons), session
    raise DeviceError(
        f"device {device!r} cannot run: {'; '.join(reasons)}; "
        f"available here: {', '.join(available_devices())}"
    )


def available_devices() -> list[str]:
    """Devices that this build of ONNX Runtime has providers for."""
    built_in = ort.get_available_providers()
    return [device for device, provider in _PROVIDERS.items() if provider in built_in]


def _open(
    bundle: Bundle,
    provider: str,
    threads: int,
    cache_dir: Path,
    announce: Callable[[str], None],
) -> ort.InferenceSession:
    name = _PROVIDERS[provider]
    if name not in ort.get_available_providers():
        raise DeviceError(f"{provider}: this build of ONNX Runtime has no {name}")
    if provider != "cpu" and hasattr(ort, "preload_dlls"):
        ort.preload_dlls()
    engines = cache_dir.expanduser() / f"{bundle.manifest.name}-{bundle.manifest.sha256[:12]}"
    with _build_notice(provider, bundle, engines, announce):
        session = _create_session(bundle, provider, threads, engines)
        active = session.get_providers()[0]
        if active != name:
            raise DeviceError(f"{provider}: ONNX Runtime fell back to {active}; see its log")
        _warm_up(bundle, session)
    return session


def _create_session(
    bundle: Bundle, provider: str, threads: int, engines: Path
) -> ort.InferenceSession:
    providers: list[Any] = [(_PROVIDERS[provider], _provider_options(bundle, provider, engines))]
    if provider == "tensorrt":
        providers.append(_PROVIDERS["cuda"])
    if provider != "cpu":
        providers.append(_PROVIDERS["cpu"])
    try:
        return ort.InferenceSession(
            str(bundle.model_path), _session_options(threads), providers=providers
        )
    except Exception as error:  # ONNX Runtime's exceptions share no base but this
        raise BundleError(f"{bundle.model_path} cannot be loaded: {error}") from error


def _session_options(threads: int) -> ort.SessionOptions:
    options = ort.SessionOptions()
    # Explicit, so that a container's CPU set counts and threads are not pinned to cores.
    options.intra_op_num_threads = threads or len(os.sched_getaffinity(0))
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return options


def _provider_options(bundle: Bundle, provider: str, engines: Path) -> dict[str, str]:
    if provider != "tensorrt":
        return {}
    engines.mkdir(parents=True, exist_ok=True)
    return {
        "trt_engine_cache_enable": "1",
        "trt_engine_cache_path": str(engines),
        "trt_timing_cache_enable": "1",
        "trt_timing_cache_path": str(engines),
        "trt_fp16_enable": "0" if bundle.manifest.precision == "fp32" else "1",
    }


def _build_notice(
    provider: str, bundle: Bundle, engines: Path, announce: Callable[[str], None]
) -> AbstractContextManager[None]:
    if provider != "tensorrt" or any(engines.glob("*.engine")):
        return nullcontext()
    work = (
        f"building the TensorRT engine of {bundle.manifest.model_id} in {engines} "
        f"(minutes, this once)"
    )
    return announced(work, announce=announce)


def _warm_up(bundle: Bundle, session: ort.InferenceSession) -> None:
    """Check the model against its manifest and run it once."""
    model_inputs = {
        tensor.name: TensorSpec(
            shape=tuple(size if isinstance(size, int) else None for size in tensor.shape),
            dtype=_DTYPES.get(str(tensor.type), str(tensor.type)),
        )
        for tensor in session.get_inputs()
    }
    check_inputs(bundle.manifest, model_inputs)
    try:
        session.run(None, blank_inputs(bundle.manifest))
    except Exception as error:  # ONNX Runtime's exceptions share no base but this
        raise BundleError(
            f"{bundle.model_path} fails on a blank {bundle.manifest.input.width_px}×"
            f"{bundle.manifest.input.height_px} px frame: {error}"
        ) from error
