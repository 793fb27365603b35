"""Recordings become frames: put in order, paired, with intrinsics and the camera's pose.

Messages are put in the order of their stamps within a window of `ORDER_S`, and of
`limits.window_mb`; what is held is that window and nothing else, so memory does not grow with the
recording, nor with what its stamps claim.
"""

import heapq
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from robot_vision.codecs.compressed import decode_compressed, decode_compressed_depth
from robot_vision.codecs.depth import decode_depth
from robot_vision.codecs.header import image_size_px
from robot_vision.codecs.image import decode_image
from robot_vision.core.camera_info import Calibration, calibration_of
from robot_vision.core.clock import NS_PER_S
from robot_vision.core.config import ServiceConfig
from robot_vision.core.errors import CameraError, EncodingError
from robot_vision.core.frame_check import INVALID
from robot_vision.core.limits_config import InputLimits
from robot_vision.replay.reading.discovery import (
    CAMERA_INFO,
    COMPRESSED,
    IMAGE,
    TRANSFORMS,
    Topics,
    find_topics,
)
from robot_vision.replay.reading.frames import InputHealth, RawFrame, Stream
from robot_vision.replay.reading.messages import Decoder, Problems, RawMessage, stamp_to_ns
from robot_vision.replay.reading.recording import Recording
from robot_vision.sync.one_camera import TWO_CAMERAS, OneCamera
from robot_vision.sync.pairing import Pair, Pairer
from robot_vision.sync.transforms import TransformBuffer
from robot_vision.sync.views import ColorView, DepthOrigin, Views

ORDER_S = 0.5
RESTART_S = 2.0
# Depth that waits for the first colour image, which says what clock colour has.
_EARLY_DEPTH = 16
FIXED_FRAMES = ("odom", "map", "world")


@dataclass(frozen=True, kw_only=True)
class BagOptions:
    """How a recording is read.

    `target_frame` is the node's parameter of that name: the frame through which the tracker sees
    a moving camera. Empty takes none, as the node does; "auto" takes odom, map, world or the
    root of the tree.
    """

    topics: Topics = field(default_factory=Topics)
    target_frame: str = ""


@dataclass(frozen=True, kw_only=True, eq=False)
class _Image:
    stamp_ns: int
    log_ns: int
    is_depth: bool
    content: Any
    msgtype: str
    size_bytes: int


class BagSource:
    """Frames of a rosbag2 or ROS 1 recording."""

    def __init__(
        self, path: Path, *, config: ServiceConfig, options: BagOptions | None = None
    ) -> None:
        self.name = path.name
        self.health = InputHealth()
        self._options = options or BagOptions()
        self._config = config
        self._recording = Recording(path, config.limits)
        self.topics = find_topics(self._recording, wanted=self._options.topics)
        self.health.others = self.topics.others
        self._decoder = Decoder(is_ros1=self._recording.is_ros1)
        self._rgb = Stream(self.topics.rgb, "rgb")
        self._depth = Stream(self.topics.depth, "depth")
        self.health.streams = [s for s in (self._rgb, self._depth) if s.name]
        self._cameras, self._depth_cameras = _Cameras(), _Cameras()
        self._one_camera = {"rgb": OneCamera(), "depth": OneCamera()}
        self._views = Views(
            config,
            rgb_topic=self.topics.rgb,
            depth_topic=self.topics.depth,
            report=self.health.problems.add,
        )
        self._transforms = TransformBuffer()

    @property
    def done(self) -> float:
        return self._recording.done

    def raw_frames(self) -> Iterator[RawFrame]:
        tolerance_s = self._config.sync.tolerance_s
        window_bytes = self._config.limits.window_bytes
        pairer: Pairer[_Image, _Image] = Pairer(
            tolerance_s=tolerance_s,
            wait_s=0.0,
            latest_only=False,
            depth_keep=64,
            depth_keep_bytes=window_bytes,
        )
        last_ns = -1
        for image in _in_order(
            _of_one_clock(self._images(), self.health),
            tolerance_s=tolerance_s,
            window_bytes=window_bytes,
            health=self.health,
        ):
            if image is None:
                pairer.reset()
                last_ns = -1
                continue
            if image.is_depth:
                pairer.add_depth(image.stamp_ns, image, size_bytes=image.size_bytes)
                continue
            if image.stamp_ns == last_ns:
                detail = f"{self._rgb.name}: stamp {last_ns} ns"
                self.health.problems.add("colour stamp repeated", detail)
                continue
            last_ns = image.stamp_ns
            pairer.add_rgb(image.stamp_ns, image, arrival_ns=image.stamp_ns)
            pair = pairer.poll(image.stamp_ns, flush=True)
            if pair is not None:
                yield self._raw_frame(pair)

    def _images(self) -> Iterator[_Image]:
        """Colour and depth images as recorded; intrinsics and transforms are taken in aside."""
        for message in self._recording.messages(self.health.problems):
            if message.topic in (self.topics.rgb, self.topics.depth):
                yield from self._image(message)
            elif message.topic == self.topics.info and message.msgtype == CAMERA_INFO:
                content = self._decoder.decode(message, self.health.problems)
                if content is not None:
                    self._cameras.add(content, self.health.problems)
            elif message.topic == self.topics.depth_info and message.msgtype == CAMERA_INFO:
                content = self._decoder.decode(message, self.health.problems)
                if content is not None:
                    self._depth_cameras.add(content, self.health.problems)
            elif message.msgtype in TRANSFORMS:
                self._add_transforms(message)

    def _image(self, message: RawMessage) -> Iterator[_Image]:
        problems = self.health.problems
        content = self._decoder.decode(message, problems)
        if content is None or message.msgtype not in (IMAGE, COMPRESSED):
            return
        stamp_ns = stamp_to_ns(content.header.stamp)
        if stamp_ns <= 0:
            problems.add("stamp is zero: log time taken", f"{message.topic}")
            stamp_ns = message.log_ns
        is_depth = message.topic == self.topics.depth
        kind = "depth" if is_depth else "rgb"
        size_px = _size_px(content, message.msgtype)
        frame_id = content.header.frame_id
        if why := self._one_camera[kind].problem(frame_id, size_px=size_px, stamp_ns=stamp_ns):
            problems.add(TWO_CAMERAS, f"{message.topic}: {why}")
            return
        encoding = content.encoding if message.msgtype == IMAGE else content.format
        (self._depth if is_depth else self._rgb).add(stamp_ns, encoding)
        yield _Image(
            stamp_ns=stamp_ns,
            log_ns=message.log_ns,
            is_depth=is_depth,
            content=content,
            msgtype=message.msgtype,
            size_bytes=len(message.data),
        )

    def _add_transforms(self, message: RawMessage) -> None:
        content = self._decoder.decode(message, self.health.problems)
        for item in content.transforms if content is not None else ():
            move, turn = item.transform.translation, item.transform.rotation
            try:
                self._transforms.add(
                    parent=item.header.frame_id,
                    child=item.child_frame_id,
                    stamp_ns=stamp_to_ns(item.header.stamp),
                    translation_m=np.array([move.x, move.y, move.z], np.float64),
                    quaternion_xyzw=np.array([turn.x, turn.y, turn.z, turn.w], np.float64),
                    is_static=message.topic.endswith("tf_static"),
                )
            except ValueError as error:
                self.health.problems.add("transform not usable", str(error))

    def _raw_frame(self, pair: Pair[_Image, _Image]) -> RawFrame:
        self.health.add_pair(pair.stamp_ns, pair.depth_stamp_ns)
        if pair.depth is None and pair.reason:
            self.health.pairing[pair.reason] += 1
        content = pair.rgb.content
        frame_id = content.header.frame_id
        view = self._views.color_view(
            frame_id,
            size_px=_size_px(content, pair.rgb.msgtype),
            calibration=self._cameras.at(pair.stamp_ns),
        )
        read_rgb = _rgb_reader(pair.rgb, self._config.limits)
        fixed_from_camera = self._fixed_from_camera(frame_id, pair.stamp_ns)
        return RawFrame(
            stamp_ns=pair.stamp_ns,
            frame_id=self._views.frame_id(frame_id),
            read_rgb=lambda: self._views.rgb(read_rgb()),
            read_depth=self._depth_reader(pair.depth, view, pair.stamp_ns),
            depth_stamp_ns=pair.depth_stamp_ns,
            camera=self._views.camera(view),
            fixed_from_camera=self._views.pose(fixed_from_camera),
        )

    def _depth_reader(
        self, image: _Image | None, view: ColorView, stamp_ns: int
    ) -> Callable[[], np.ndarray | None] | None:
        """Depth on colour's view; transforms are looked up now, as the buffer moves on."""
        if image is None:
            return None
        frame_id = image.content.header.frame_id
        move = self._transforms.lookup(target=view.frame_id, source=frame_id, stamp_ns=stamp_ns)
        origin = DepthOrigin(
            frame_id=frame_id,
            calibration=self._depth_cameras.at(image.stamp_ns),
            color_from_depth=lambda: move,
        )
        read = _depth_reader(image, self._config)
        return lambda: self._views.depth(read(), view=view, origin=origin)

    def _fixed_from_camera(self, frame_id: str, stamp_ns: int) -> np.ndarray | None:
        target = self._options.target_frame
        if not target:
            return None
        if target == "auto":
            chain = self._transforms.chain(frame_id)
            target = next((name for name in FIXED_FRAMES if name in chain), chain[-1])
        found = self._transforms.lookup(target=target, source=frame_id, stamp_ns=stamp_ns)
        if found is None:
            detail = f"from {frame_id} to {target} at {stamp_ns} ns"
            self.health.problems.add("no transform", detail)
        return found


class _Cameras:
    """Calibrations as they change over a recording."""

    def __init__(self) -> None:
        self._known: list[tuple[int, Calibration | None]] = []

    def add(self, info: Any, problems: Problems) -> None:
        """Take one in; the camera is unknown from one on that cannot be read."""
        calibration = None
        try:
            calibration = calibration_of(info)
        except CameraError as error:
            problems.add(INVALID, f"camera_info has {error}")
        if not self._known or not _same(calibration, self._known[-1][1]):
            self._known = [*self._known[-7:], (stamp_to_ns(info.header.stamp), calibration)]

    def at(self, stamp_ns: int) -> Calibration | None:
        """The newest not after `stamp_ns`, else the first one."""
        if not self._known:
            return None
        before = [known for known_ns, known in self._known if known_ns <= stamp_ns]
        return before[-1] if before else self._known[0][1]


def _same(one: Calibration | None, other: Calibration | None) -> bool:
    return one is other if one is None or other is None else one.same_as(other)


def _size_px(content: Any, msgtype: str) -> tuple[int, int]:
    """Width and height, of an encoded image by its header; zeros where that is damaged."""
    if msgtype == IMAGE:
        return int(content.width), int(content.height)
    try:
        return image_size_px(content.data.tobytes())
    except EncodingError:
        return 0, 0


def _of_one_clock(images: Iterator[_Image], health: InputHealth) -> Iterator[_Image]:
    """Colour, and the depth whose stamps are of colour's clock.

    The clock of a stream is known by how far its stamps are from the time of recording, which is
    one clock for all. Depth of another clock can be paired with nothing.
    """
    color_ahead_ns: int | None = None
    early: deque[_Image] = deque(maxlen=_EARLY_DEPTH)
    for image in images:
        if image.is_depth:
            early.append(image)
        else:
            color_ahead_ns = image.stamp_ns - image.log_ns
        while color_ahead_ns is not None and early:
            depth = early.popleft()
            apart_s = (depth.stamp_ns - depth.log_ns - color_ahead_ns) / NS_PER_S
            if abs(apart_s) <= RESTART_S:
                yield depth
                continue
            detail = f"its stamps are {apart_s:+.1f} s from colour's: depth is not used"
            health.problems.add("depth on another clock", detail)
        if not image.is_depth:
            yield image


def _in_order(
    images: Iterator[_Image], *, tolerance_s: float, window_bytes: int, health: InputHealth
) -> Iterator[_Image | None]:
    """Images by rising stamp, depth ahead by the tolerance so that the nearest is known in time.

    None marks that stamps went back by more than `RESTART_S`: a loop, or another run.
    """
    lead_ns = round(tolerance_s * NS_PER_S)
    waiting: list[tuple[int, int, _Image]] = []
    newest_ns = released_ns = -1
    held_bytes = 0
    for number, image in enumerate(images):
        if newest_ns - image.stamp_ns > RESTART_S * NS_PER_S:
            yield from (item for _, _, item in sorted(waiting, key=lambda entry: entry[:2]))
            waiting.clear()
            newest_ns = released_ns = -1
            held_bytes = 0
            health.problems.add("stamps went back", f"to {image.stamp_ns} ns: tracking restarts")
            yield None
        key_ns = image.stamp_ns - (lead_ns if image.is_depth else 0)
        if key_ns < released_ns:
            health.problems.add("too late to be put in order", f"stamp {image.stamp_ns} ns")
            continue
        heapq.heappush(waiting, (key_ns, number, image))
        newest_ns = max(newest_ns, image.stamp_ns)
        held_bytes += image.size_bytes
        while waiting and (
            waiting[0][0] < newest_ns - ORDER_S * NS_PER_S or held_bytes > window_bytes
        ):
            released_ns, _, ready = heapq.heappop(waiting)
            held_bytes -= ready.size_bytes
            yield ready
    yield from (item for _, _, item in sorted(waiting, key=lambda entry: entry[:2]))


def _rgb_reader(image: _Image, limits: InputLimits) -> Callable[[], np.ndarray]:
    content = image.content
    if image.msgtype == COMPRESSED:
        return partial(decode_compressed, content.data, format=content.format, limits=limits)
    return partial(decode_image, content.data, **_layout(content), limits=limits)


def _depth_reader(image: _Image, config: ServiceConfig) -> Callable[[], np.ndarray]:
    content = image.content
    how = {
        "raw_unit_m": config.depth.raw_unit_m,
        "float_unit_m": config.depth.float_unit_m,
        "limits": config.limits,
    }
    if image.msgtype == COMPRESSED:
        return partial(decode_compressed_depth, content.data, format=content.format, **how)
    return partial(decode_depth, content.data, **_layout(content), **how)


def _layout(content: Any) -> dict[str, Any]:
    return {
        "encoding": content.encoding,
        "width_px": int(content.width),
        "height_px": int(content.height),
        "step": int(content.step),
        "is_bigendian": bool(content.is_bigendian),
    }
