"""The connection to a policy server, for the status, the log and /diagnostics."""

from collections.abc import Callable
from typing import Any

from robot_vision.core.interfaces import ConnectedPolicy, Policy
from robot_vision.core.results.policy_status import ServerStatus


def server_status(policy: Policy) -> ServerStatus | None:
    """The connection; None for a policy that decides in this process."""
    return policy.status() if isinstance(policy, ConnectedPolicy) else None


def log_server_news(policy: Policy, warn: Callable[[str], Any]) -> None:
    """Log a server that was lost and one that is available again."""
    if isinstance(policy, ConnectedPolicy):
        for words in policy.news():
            warn(words)


def words_of_server(found: ServerStatus) -> str:
    """The connection in one line, for /diagnostics."""
    words = f"server {found.state}"
    if found.problem:
        words += f": {found.problem}"
    if latency_ms := found.latency_ms:
        words += f"; answers p50 {latency_ms['p50']:g} ms, p95 {latency_ms['p95']:g} ms"
    for count, one in ((found.reconnects, "reconnect"), (found.late_answers, "late answer")):
        if count:
            words += f"; {count} {one}{'s' if count > 1 else ''}"
    return words
