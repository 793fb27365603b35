"""What every client of a policy server does, and where each registers itself."""

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from robot_vision.core.policy_manifest import PolicyManifest
from robot_vision.core.registry import Registry
from robot_vision.policies.remote.address import Address
from robot_vision.policies.remote.messages import Answer, Request, ServerReport
from robot_vision.policies.remote.spec import RemoteSpec


@runtime_checkable
class Client(Protocol):
    """One connection at a time, used by one thread; `interrupt` alone comes from another one.

    All raise `RemoteError` in words: `LostError` where the connection has to be made anew.
    """

    address: Address

    def connect(self, limit_s: float) -> ServerReport:
        """Connect, and hear what the server says of itself."""
        ...

    def ask(self, request: Request, limit_s: float) -> Answer:
        """Send an observation and wait for the answer to it, at most so long."""
        ...

    def close(self) -> None:
        """End the connection, if there is one. May be called again."""
        ...

    def interrupt(self) -> None:
        """End what `connect` or `ask` waits for, for good: called from another thread."""
        ...


@runtime_checkable
class BuildClient(Protocol):
    """Makes a client without connecting. Raises `BundleError` where options are wrong."""

    def __call__(self, spec: RemoteSpec, manifest: PolicyManifest) -> Client: ...


CLIENTS: Registry[BuildClient] = Registry(
    "protocol of a policy server", package="robot_vision.policies.remote.clients"
)


def dotted(facts: Mapping[str, Any], path: str) -> Any:
    """A value of nested mappings by its path; raises `KeyError` where there is none."""
    if path in facts:
        return facts[path]
    found: Any = facts
    for part in path.split("."):
        if not isinstance(found, Mapping):
            raise KeyError(path)
        found = found[part]
    return found
