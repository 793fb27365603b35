"""Shared by the /diagnostics of all nodes: a status for each part, causes as text."""

from collections.abc import Mapping

from diagnostic_msgs.msg import DiagnosticStatus, KeyValue

from robot_vision.ros.common.health import Cause

OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR


def words_of(cause: str, why: Cause) -> str:
    """A cause, how often since the last report, and an example."""
    return f"{cause} ×{why.recent}" + (f" ({why.example})" if why.example else "")


def status_of(
    node: str, part: str, level: bytes, message: str, values: Mapping[str, str]
) -> DiagnosticStatus:
    """The status of a part of a node, by its fully qualified name."""
    return DiagnosticStatus(
        level=level,
        name=f"{node.lstrip('/')}: {part}",
        message=message,
        hardware_id=node,
        values=[KeyValue(key=key, value=value) for key, value in values.items()],
    )
