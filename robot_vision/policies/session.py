"""ONNX Runtime sessions for a policy's two small networks: on the CPU, where they are fast."""

import os
from pathlib import Path
from typing import Any

import onnxruntime as ort

from robot_vision.core.errors import BundleError
from robot_vision.model_store.onnx_open import open_onnx


def open_policy_session(
    file: Path,
    *,
    inputs: tuple[str, ...],
    threads: int,
    spin: bool = True,
    optional: tuple[str, ...] = (),
) -> ort.InferenceSession:
    """Load `file`; `threads` 0:

    all cores. Raises `BundleError` if it cannot be loaded or has other `inputs`, apart from those
    whose names begin with `optional`.
    """
    session = open_session(file, threads=threads, spin=spin)
    check_inputs(session, file, inputs, optional)
    return session


def open_session(file: Path, *, threads: int, spin: bool = True) -> ort.InferenceSession:
    """Load `file` with any inputs; raises `BundleError` if it cannot be loaded."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads or len(os.sched_getaffinity(0))
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", str(int(spin)))
    # Threads busy-wait within a run; between runs the cores are free for others.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    return open_onnx(file, options)


def check_inputs(
    network: Any, file: Path, inputs: tuple[str, ...], optional: tuple[str, ...]
) -> None:
    """Raise `BundleError` if a network has other inputs, apart from optional ones."""
    names = [tensor.name for tensor in network.get_inputs()]
    found = tuple(name for name in names if not (optional and name.startswith(optional)))
    if set(found) != set(inputs):
        raise BundleError(
            f"{file} has the inputs {', '.join(found)}; expected {', '.join(inputs)}: export it "
            "again"
        )
