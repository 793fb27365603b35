"""The only door to ONNX Runtime: every file is checked before it passes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import onnxruntime as ort

from robot_vision.core.errors import BundleError
from robot_vision.model_store.file_kinds import external_files

CPU = "CPUExecutionProvider"


def open_onnx(
    file: Path, options: ort.SessionOptions | None = None, *, providers: Sequence[Any] = (CPU,)
) -> ort.InferenceSession:
    """Load an ONNX file; raises `BundleError` if it is not one, or requires what is never allowed.

    Without `options`, ONNX Runtime reports errors only: its warnings would bury ours.
    """
    external_files(file)
    try:
        return ort.InferenceSession(str(file), options or _quiet(), providers=list(providers))
    except Exception as error:  # ONNX Runtime's exceptions share no base but this
        raise BundleError(f"{file} cannot be loaded as an ONNX model: {error}") from error


def _quiet() -> ort.SessionOptions:
    options = ort.SessionOptions()
    options.log_severity_level = 3
    return options
