"""The server side of a protocol, and which policies it can serve."""

from typing import Any, Protocol, runtime_checkable

from robot_vision.core.errors import BundleError
from robot_vision.core.manifests.observation_spec import ObservationSpec
from robot_vision.core.registry import Registry
from robot_vision.policies.registry import BundledPolicy


@runtime_checkable
class Exchange(Protocol):
    """The messages of one connection. `contract` is sent first, then `answer` is called for
    each."""

    path: str
    token_scheme: str

    def contract(self) -> dict[str, Any]: ...

    def answer(self, message: Any) -> dict[str, Any]:
        """Raises `RemoteError` if the message cannot be answered."""
        ...


@runtime_checkable
class BuildExchange(Protocol):
    """Raises `BundleError` if the policy needs inputs that the protocol does not carry."""

    def __call__(self, policy: BundledPolicy) -> Exchange: ...


EXCHANGES: Registry[BuildExchange] = Registry(
    "protocol to serve a policy by", package="robot_vision.serving"
)


def observation_of_bundle(policy: BundledPolicy) -> ObservationSpec:
    """A policy's observation; raises `BundleError` if it cannot be sent over the network."""
    manifest = policy.manifest
    seen = manifest.observation
    if manifest.kind == "remote":
        raise BundleError(
            f"policy {manifest.name!r} already runs on a server: let the robot use that one"
        )
    if seen is None or seen.perception:
        taken = "tracks and features" if seen is None else ", ".join(seen.perception)
        raise BundleError(
            f"policy {manifest.name!r} uses perception ({taken}), which runs on the robot: run "
            "it there; only policies that take pictures, state and an instruction can be served"
        )
    return seen
