"""The interface of clients of policy servers, and their registry."""

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from robot_vision.core.manifests.policy_manifest import PolicyManifest
from robot_vision.core.registry import Registry
from robot_vision.policies.remote.address import Address
from robot_vision.policies.remote.messages import Answer, Request, ServerReport
from robot_vision.policies.remote.spec import RemoteSpec


@runtime_checkable
class Client(Protocol):
    """One connection at a time, used by one thread; only `interrupt` is called from another.

    Methods raise `RemoteError` with a readable reason, and `LostError` if they need a new
    connection.
    """

    address: Address

    def connect(self, limit_s: float) -> ServerReport:
        """Connect, and return the server's report about itself."""
        ...

    def ask(self, request: Request, limit_s: float) -> Answer:
        """Send an observation and wait at most `limit_s` for its answer."""
        ...

    def close(self) -> None:
        """End the connection, if there is one. May be called again."""
        ...

    def interrupt(self) -> None:
        """Abort `connect` or `ask` for good; called from another thread."""
        ...


@runtime_checkable
class BuildClient(Protocol):
    """Creates a client without connecting. Raises `BundleError` for invalid options."""

    def __call__(self, spec: RemoteSpec, manifest: PolicyManifest) -> Client: ...


CLIENTS: Registry[BuildClient] = Registry(
    "protocol of a policy server", package="robot_vision.policies.remote.clients"
)


def dotted(facts: Mapping[str, Any], path: str) -> Any:
    """A value in nested mappings by its path; raises `KeyError` if there is none."""
    if path in facts:
        return facts[path]
    found: Any = facts
    for part in path.split("."):
        if not isinstance(found, Mapping):
            raise KeyError(path)
        found = found[part]
    return found
