"""What a policy whose decisions come from a server says of its connection: status and log."""

from collections.abc import Callable
from typing import Any

from robot_vision.core.interfaces import ConnectedPolicy, Policy


def server_status(policy: Policy | None) -> dict[str, Any]:
    """What `~/status/json` says of the server beside all else; nothing where there is none."""
    if not isinstance(policy, ConnectedPolicy):
        return {}
    return {"policy_server": dict(policy.status())}


def log_server_news(policy: Policy | None, warn: Callable[[str], Any]) -> None:
    """A server that is lost, and one that is there again, in the log."""
    if isinstance(policy, ConnectedPolicy):
        for words in policy.news():
            warn(words)


def server_words(policy: Policy | None) -> str:
    """The connection in one line, for /diagnostics; empty where there is no server."""
    if not isinstance(policy, ConnectedPolicy):
        return ""
    found = policy.status()
    latency_ms = found["latency_ms"]
    words = f"server {found['state']}"
    if found["problem"]:
        words += f": {found['problem']}"
    if latency_ms:
        words += f"; answers p50 {latency_ms['p50']:g} ms, p95 {latency_ms['p95']:g} ms"
    counts = (("reconnects", "reconnect"), ("late_answers", "late answer"))
    for name, one in counts:
        if count := found[name]:
            words += f"; {count} {one}{'s' if count > 1 else ''}"
    return words
