"""Faults of a policy server, with messages for status and log."""

from robot_vision.core.errors import RobotVisionError


class RemoteError(RobotVisionError):
    """The server gave no usable answer; the connection stays open."""


class LostError(RemoteError):
    """The connection is gone or unusable: a new one is needed."""


class MismatchError(RemoteError):
    """The server does not match the bundle: its answers must not move this arm."""
