"""What runs a policy's network: ONNX Runtime, or an engine for another kind of file.

An engine registers itself by the suffix of its files. Those that need torch live beside the
back-ends, and are imported when a bundle asks for one.
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
    """What ONNX Runtime's sessions and every engine do."""

    def get_inputs(self) -> Sequence[Any]: ...

    def get_outputs(self) -> Sequence[Any]: ...

    def run(self, names: Sequence[str] | None, inputs: Any, /) -> Sequence[Any]: ...


@runtime_checkable
class OpenNetwork(Protocol):
    """Loads a file; raises `BundleError` if it cannot be. `threads` 0 takes all cores."""

    def __call__(self, file: Path, *, threads: int) -> PolicyNetwork: ...


ENGINES: Registry[OpenNetwork] = Registry(
    "engine of policies", package="robot_vision.backends.policy_engines"
)


def open_network(
    file: Path,
    *,
    inputs: tuple[str, ...],
    threads: int,
    spin: bool = True,
    optional: tuple[str, ...] = (),
) -> PolicyNetwork:
    """A policy's network, by the kind of its file; see `session.open_policy_session`."""
    network = open_served(file, threads=threads, spin=spin)
    check_inputs(network, file, inputs, optional)
    return network


def open_served(file: Path, *, threads: int, spin: bool = True) -> PolicyNetwork:
    """A network, whatever it takes. Raises `BundleError` if it cannot be loaded."""
    if file.suffix == _ONNX:
        return open_session(file, threads=threads, spin=spin)
    try:
        return ENGINES.get(file.suffix)(file, threads=threads)
    except UnknownNameError as error:
        raise BundleError(f"{file} is no network of a policy: {error}, {_ONNX}") from error
    except ImportError as error:
        raise BundleError(
            f"{file} is run by torch, which cannot be imported ({error}): "
            "pip install 'robot_vision[train,vla]'"
        ) from error
