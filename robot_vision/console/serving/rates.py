"""Rate limits per client address."""

from collections import OrderedDict
from time import monotonic

from starlette.types import Scope

_MOST_CLIENTS = 4096
_BURST_S = 2.0


class Rates:
    """A token bucket per client address; the least recently seen addresses are forgotten."""

    def __init__(self, rate_hz: float, *, burst: float | None = None) -> None:
        self._rate_hz = rate_hz
        self._burst = max(burst or rate_hz * _BURST_S, 1.0)
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, client: str) -> bool:
        """Take a token; returns whether there was one."""
        now_s = monotonic()
        left, at_s = self._left.pop(client, (self._burst, now_s))
        left = min(left + (now_s - at_s) * self._rate_hz, self._burst)
        self._left[client] = (max(left - 1, 0) if left >= 1 else left, now_s)
        if len(self._left) > _MOST_CLIENTS:
            self._left.popitem(last=False)
        return left >= 1


def client_of(scope: Scope) -> str:
    """The address that a request came from."""
    client = scope.get("client")
    return client[0] if client else "unknown"
