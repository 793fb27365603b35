"""A remote bundle tried without a robot: what its server says, and how long answers take."""

from dataclasses import dataclass
from time import monotonic, sleep

from robot_vision.core.errors import BundleError
from robot_vision.model_store.policies import PolicyBundle
from robot_vision.policies.remote.policy import RemotePolicy


@dataclass(frozen=True, kw_only=True)
class Trial:
    """Seconds of each answer, requests that had none, and what the server does not say."""

    server: str
    latency_s: tuple[float, ...]
    failures: tuple[str, ...]
    unsaid: tuple[str, ...]


def try_server(bundle: PolicyBundle, *, requests: int, text: str) -> Trial:
    """Ask with black pictures, one after another. Raises `BundleError` where none is there."""
    policy = RemotePolicy(bundle)
    try:
        until_s = monotonic() + policy.warm_up_s
        while policy.status().state != "ready":
            found = policy.status()
            if found.state != "connecting" or monotonic() > until_s:
                raise BundleError(f"{found.server} is {found.state}: {found.problem}")
            sleep(0.05)
        asked = [policy.ask_blank(text) for _ in range(requests)]
        return Trial(
            server=policy.provider,
            latency_s=tuple(took for took, problem in asked if not problem),
            failures=tuple(problem for _, problem in asked if problem),
            unsaid=policy.status().unsaid,
        )
    finally:
        policy.close()
