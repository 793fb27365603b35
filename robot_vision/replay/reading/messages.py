"""Shared by all container readers: raw messages in, typed messages out, problems reported."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from robot_vision.core.errors import RobotVisionError
from robot_vision.core.files.foreign import is_git_lfs_pointer

MOST_TOPICS = 10_000
LONGEST_NAME = 1000
# Transforms and intrinsics become a thousand times larger as Python objects.
MOST_BYTES_BUT_OF_IMAGES = 1 << 20
IMAGE, COMPRESSED = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"


class BagError(RobotVisionError, ValueError):
    """A recording cannot be opened, or contains nothing to replay."""


def refuse_lfs_pointer(path: Path) -> None:
    """Raise `BagError` if Git LFS has not fetched the file's content."""
    if is_git_lfs_pointer(path):
        raise BagError(f"{path} is a Git LFS pointer without its content; run `git lfs pull`")


@dataclass(frozen=True, kw_only=True)
class RawMessage:
    """A serialized message as it was recorded; `msgtype` is spelled as in ROS 2.

    `is_ros1` marks one that ROS 1 serialized, in a container of ROS 2.
    """

    topic: str
    msgtype: str
    log_ns: int
    data: bytes
    is_ros1: bool = False


def ros2_name(msgtype: str) -> str:
    """`sensor_msgs/msg/Image` from the names in DDS (`sensor_msgs::msg::dds_::Image_`) and ROS
    1 (`sensor_msgs/Image`)."""
    name = msgtype
    if "::dds_::" in name:
        name = name.replace("::dds_::", "/").replace("::", "/").removesuffix("_")
    return name.replace("/", "/msg/") if name.count("/") == 1 else name


class TopicTable:
    """Topics by their number in a file; limited, as their names are untrusted."""

    def __init__(self) -> None:
        self._topics: dict[int, tuple[str, str]] = {}
        self._names: set[str] = set()

    def learn(self, number: int, topic: str, msgtype: str) -> None:
        """Raises `ValueError` for a name that is too long, or one topic too many."""
        if max(len(topic), len(msgtype)) > LONGEST_NAME:
            raise ValueError(
                f"a topic's name of {len(topic)} and type of {len(msgtype)} characters; "
                f"expected at most {LONGEST_NAME}"
            )
        self._names.add(topic)
        if len(self._names) > MOST_TOPICS:
            raise ValueError(f"more than {MOST_TOPICS} topics")
        self._topics[number] = (topic, ros2_name(msgtype))

    def get(self, number: int) -> tuple[str, str]:
        """Name and type; empty for an undescribed number."""
        return self._topics.get(number, ("", ""))


class Problems:
    """Problems while reading: their number, and a description of the first case of each kind."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[int, str]] = {}

    def add(self, kind: str, detail: str, *, times: int = 1) -> None:
        count, first = self._seen.get(kind, (0, detail))
        self._seen[kind] = (count + times, first)

    def count(self, kind: str) -> int:
        return self._seen.get(kind, (0, ""))[0]

    def __bool__(self) -> bool:
        return bool(self._seen)

    def __str__(self) -> str:
        return "; ".join(f"{kind}: {first}" for kind, (_, first) in self._seen.items())

    def as_dict(self) -> dict[str, dict[str, Any]]:
        return {kind: {"count": n, "first": first} for kind, (n, first) in self._seen.items()}


@runtime_checkable
class Container(Protocol):
    """One file of messages. `messages` restarts at each call and never raises on damage."""

    size_bytes: int
    read_bytes: int
    is_ros1: bool

    def messages(self, problems: Problems) -> Iterator[RawMessage]:
        """Messages in file order; anything unreadable is added to `problems`."""
        ...


class Decoder:
    """Deserializes standard messages by the definitions of ROS 2 Jazzy, or of ROS 1 Noetic.

    The types that replay reads (images, camera info, transforms) have had the same layout in
    every ROS 2 distribution, so recordings without their definitions can be read, too.
    """

    def __init__(self, *, is_ros1: bool) -> None:
        self._is_ros1 = is_ros1

    def decode(self, message: RawMessage, problems: Problems) -> Any | None:
        """The message object, or None if its bytes do not fit its type."""
        size = len(message.data)
        if size > MOST_BYTES_BUT_OF_IMAGES and message.msgtype not in (IMAGE, COMPRESSED):
            detail = f"{message.topic}: {size} bytes of {message.msgtype}"
            problems.add(f"message of more than {MOST_BYTES_BUT_OF_IMAGES} bytes", detail)
            return None
        try:
            if self._is_ros1 or message.is_ros1:
                return typestore(is_ros1=True).deserialize_ros1(message.data, message.msgtype)
            return typestore(is_ros1=False).deserialize_cdr(message.data, message.msgtype)
        except Exception as error:  # damaged bytes can raise any exception in the generated code
            detail = f"{message.topic} at log time {message.log_ns} ns: {error!r}"
            problems.add("message does not fit its type", detail)
            return None


@lru_cache(maxsize=2)
def typestore(*, is_ros1: bool) -> Any:
    """The standard message types of ROS 1 Noetic or ROS 2 Jazzy."""
    from rosbags.typesys import Stores, get_types_from_msg, get_typestore

    if not is_ros1:
        return get_typestore(Stores.ROS2_JAZZY)
    store = get_typestore(Stores.ROS1_NOETIC)
    for name in ("tf2_msgs/msg/TFMessage", "tf/msg/tfMessage"):  # not among its standard types
        store.register(get_types_from_msg("geometry_msgs/TransformStamped[] transforms", name))
    return store


def stamp_to_ns(stamp: Any) -> int:
    """Nanoseconds of a `builtin_interfaces/Time` (or ROS 1 time)."""
    return int(stamp.sec) * 1_000_000_000 + int(stamp.nanosec)
