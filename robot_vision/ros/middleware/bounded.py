"""Refuses oversized messages as bytes, before they become Python objects.

Creating and freeing twenty megabytes of text or a million names holds Python's lock for seconds.
"""

from collections.abc import Callable
from typing import Any

from rclpy.serialization import deserialize_message

# About ten times the largest messages of real robots; decoders bound images themselves.
WORDS_BYTES = 4 << 10
POSE_BYTES = 4 << 10
STATE_BYTES = 64 << 10
CAMERA_INFO_BYTES = 64 << 10
DIAGNOSTICS_BYTES = 128 << 10
OBJECTS_BYTES = 1 << 20

MOST_INSTRUCTION_CHARACTERS = 500
MOST_FRAME_ID_CHARACTERS = 256


def bounded(
    kind: Any,
    callback: Callable[[Any], None],
    *,
    most_bytes: int,
    refuse: Callable[[str], object],
) -> Callable[[bytes], None]:
    """A callback for a `raw` subscription; `refuse` gets the reason for each refused message."""

    def take(data: bytes) -> None:
        if len(data) > most_bytes:
            refuse(f"a message is larger than {most_bytes} bytes, the limit")
            return
        try:
            message = deserialize_message(data, kind)
        except RuntimeError:  # rclpy's, of bytes that are cut or wrong
            refuse(f"a message of {len(data)} bytes is not a valid {kind.__name__}")
            return
        callback(message)

    return take


def checked_frame_id(frame_id: str) -> str:
    """Raises `ValueError` if it is too long to be a name."""
    if len(frame_id) > MOST_FRAME_ID_CHARACTERS:
        raise ValueError(
            f"frame_id has more than {MOST_FRAME_ID_CHARACTERS} characters: {frame_id[:40]!r}…"
        )
    return frame_id
