"""Runtimes of policy networks: ONNX Runtime, or an engine for another kind of file.

An engine registers itself by the suffix of its files. Engines that need torch live next to the
back-ends and are imported when a bundle needs one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from robot_vision.core.errors import BundleError, UnknownNameError
from robot_vision.core.registry import Registry
from robot_vision.policies.session import check_inputs, open_session

_ONNX = ".onnx"


@dataclass(frozen=True, kw_only=True)
class NetworkTensor:
    """An input or output, described as ONNX Runtime describes its own."""

    name: str
    shape: list[int]
    type: str


@runtime_checkable
class PolicyNetwork(Protocol):
    """Interface shared by ONNX Runtime's sessions and all engines."""

    def get_inputs(self) -> Sequence[Any]: ...

    def get_outputs(self) -> Sequence[Any]: ...

    def run(self, names: Sequence[str] | None, inputs: Any, /) -> Sequence[Any]: ...


@runtime_checkable
class OpenNetwork(Protocol):
    """Loads a file; raises `BundleError` if that fails. `threads` 0: all cores."""

    def __call__(self, file: Path, *, threads: int) -> PolicyNetwork: ...


ENGINES: Registry[OpenNetwork] = Registry(
    "policy engine", package="robot_vision.backends.policy_engines"
)


def open_network(
    file: Path,
    *,
    inputs: tuple[str, ...],
    threads: int,
    spin: bool = True,
    optional: tuple[str, ...] = (),
) -> PolicyNetwork:
    """Open a policy's network by the kind of its file; see `session.open_policy_session`."""
    network = open_served(file, threads=threads, spin=spin)
    check_inputs(network, file, inputs, optional)
    return network


def open_served(file: Path, *, threads: int, spin: bool = True) -> PolicyNetwork:
    """Open a network with any inputs. Raises `BundleError` if it cannot be loaded."""
    if file.suffix == _ONNX:
        return open_session(file, threads=threads, spin=spin)
    try:
        return ENGINES.get(file.suffix)(file, threads=threads)
    except UnknownNameError as error:
        raise BundleError(f"{file} is not a policy network: {error}, {_ONNX}") from error
    except ImportError as error:
        raise BundleError(
            f"{file} is run by torch, which cannot be imported ({error}): "
            "pip install 'robot_vision[train,vla]'"
        ) from error
