"""What goes wrong with a policy server, in words for status and log."""

from robot_vision.core.errors import RobotVisionError


class RemoteError(RobotVisionError):
    """The server gave no answer that can be used; the connection goes on."""


class LostError(RemoteError):
    """The connection is gone, or of no use any more: it has to be made anew."""


class MismatchError(RemoteError):
    """The server means something else than the bundle: its answers must not move this arm."""
