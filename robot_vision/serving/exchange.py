"""What a protocol of the server does with messages, and which policies it can serve."""

from typing import Any, Protocol, runtime_checkable

from robot_vision.core.errors import BundleError
from robot_vision.core.observation_spec import ObservationSpec
from robot_vision.core.registry import Registry
from robot_vision.policies.registry import BundledPolicy


@runtime_checkable
class Exchange(Protocol):
    """The messages of one connection. `contract` goes first, then `answer` is asked for each."""

    path: str
    token_scheme: str

    def contract(self) -> dict[str, Any]: ...

    def answer(self, message: Any) -> dict[str, Any]:
        """Raises `RemoteError` where the message is none that can be answered."""
        ...


@runtime_checkable
class BuildExchange(Protocol):
    """Raises `BundleError` where the policy needs what the protocol does not carry."""

    def __call__(self, policy: BundledPolicy) -> Exchange: ...


EXCHANGES: Registry[BuildExchange] = Registry(
    "protocol to serve a policy by", package="robot_vision.serving"
)


def observation_of_bundle(policy: BundledPolicy) -> ObservationSpec:
    """What a policy observes; raises `BundleError` where that cannot come over the network."""
    manifest = policy.manifest
    seen = manifest.observation
    if manifest.kind == "remote":
        raise BundleError(
            f"policy {manifest.name!r} is on a server already: let the robot ask that one"
        )
    if seen is None or seen.perception:
        taken = "tracks and features" if seen is None else ", ".join(seen.perception)
        raise BundleError(
            f"policy {manifest.name!r} decides by perception ({taken}), which is on the robot: "
            "run it there; served are policies that take pictures, state and words"
        )
    return seen
