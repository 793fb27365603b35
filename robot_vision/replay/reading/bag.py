"""Turns recordings into frames: sorted, paired, with intrinsics and the camera's pose."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from robot_vision.codecs.compressed import decode_compressed, decode_compressed_depth
from robot_vision.codecs.depth import decode_depth
from robot_vision.codecs.image import decode_image
from robot_vision.core.parameters.config import ServiceConfig
from robot_vision.core.parameters.limits_config import InputLimits
from robot_vision.replay.reading.cameras import RecordedCameras
from robot_vision.replay.reading.discovery import (
    CAMERA_INFO,
    COMPRESSED,
    IMAGE,
    TRANSFORMS,
    Topics,
    find_topics,
    recorded_size_px,
)
from robot_vision.replay.reading.episodes.options import EpisodeOptions
from robot_vision.replay.reading.frames import InputHealth, RawFrame, Stream
from robot_vision.replay.reading.messages import Decoder, RawMessage, stamp_to_ns
from robot_vision.replay.reading.ordering import RecordedImage, in_order, of_one_clock
from robot_vision.replay.reading.recording import Recording
from robot_vision.replay.reading.robot import RecordedRobot
from robot_vision.sync.one_camera import TWO_CAMERAS, OneCamera
from robot_vision.sync.pairing import Pair, Pairer
from robot_vision.sync.transforms import TransformBuffer
from robot_vision.sync.views import ColorView, DepthOrigin, Views

FIXED_FRAMES = ("odom", "map", "world")


@dataclass(frozen=True, kw_only=True)
class BagOptions:
    """How a recording is read: `topics` of a bag, `episodes` of a dataset.

    `target_frame` is the node's parameter of that name: the frame through which the tracker sees a
    moving camera. Empty: none, as in the node; "auto": odom, map, world or the root of the tree.
    """

    topics: Topics = field(default_factory=Topics)
    episodes: EpisodeOptions = field(default_factory=EpisodeOptions)
    target_frame: str = ""


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
        self._cameras, self._depth_cameras = RecordedCameras(), RecordedCameras()
        self._one_camera = {"rgb": OneCamera(), "depth": OneCamera()}
        self._views = Views(
            config,
            rgb_topic=self.topics.rgb,
            depth_topic=self.topics.depth,
            report=self.health.problems.add,
        )
        self._transforms = TransformBuffer()
        self._robot = RecordedRobot(config, self.health.problems)

    @property
    def done(self) -> float:
        return self._recording.done

    def raw_frames(self) -> Iterator[RawFrame]:
        tolerance_s = self._config.sync.tolerance_s
        window_bytes = self._config.limits.window_bytes
        pairer: Pairer[RecordedImage, RecordedImage] = Pairer(
            tolerance_s=tolerance_s,
            wait_s=0.0,
            latest_only=False,
            depth_keep=64,
            depth_keep_bytes=window_bytes,
        )
        last_ns = -1
        for image in in_order(
            of_one_clock(self._images(), self.health),
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

    def _images(self) -> Iterator[RecordedImage]:
        """Colour and depth images as recorded; intrinsics and transforms are stored on the way."""
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
            elif self._robot.wants(message):
                content = self._decoder.decode(message, self.health.problems)
                if content is not None:
                    self._robot.take(message, content)

    def _image(self, message: RawMessage) -> Iterator[RecordedImage]:
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
        size_px = recorded_size_px(content, message.msgtype)
        frame_id = content.header.frame_id
        if why := self._one_camera[kind].problem(frame_id, size_px=size_px, stamp_ns=stamp_ns):
            problems.add(TWO_CAMERAS, f"{message.topic}: {why}")
            return
        encoding = content.encoding if message.msgtype == IMAGE else content.format
        (self._depth if is_depth else self._rgb).add(stamp_ns, encoding)
        yield RecordedImage(
            stamp_ns=stamp_ns,
            log_ns=message.log_ns,
            is_depth=is_depth,
            content=content,
            msgtype=message.msgtype,
            size_px=size_px,
            size_bytes=len(message.data),
        )

    def _add_transforms(self, message: RawMessage) -> None:
        content = self._decoder.decode(message, self.health.problems)
        for item in content.transforms if content is not None else ():
            stamp_ns = stamp_to_ns(item.header.stamp)
            try:
                self._transforms.add_message(
                    item, stamp_ns=stamp_ns, is_static=message.topic.endswith("tf_static")
                )
            except ValueError as error:
                self.health.problems.add("transform not usable", str(error))

    def _raw_frame(self, pair: Pair[RecordedImage, RecordedImage]) -> RawFrame:
        self.health.add_pair(pair.stamp_ns, pair.depth_stamp_ns)
        if pair.depth is None and pair.reason:
            self.health.pairing[pair.reason] += 1
        frame_id = pair.rgb.content.header.frame_id
        view = self._views.color_view(
            frame_id,
            size_px=pair.rgb.size_px,
            calibration=self._cameras.at(pair.stamp_ns),
        )
        read_rgb = _rgb_reader(pair.rgb, self._config.limits)
        fixed_from_camera = self._fixed_from_camera(frame_id, pair.stamp_ns)
        shown = self._views.frame_id(frame_id)
        camera = self._views.camera(view)
        return RawFrame(
            stamp_ns=pair.stamp_ns,
            frame_id=shown,
            read_rgb=lambda: self._views.rgb(read_rgb()),
            read_depth=self._depth_reader(pair.depth, view, pair.stamp_ns),
            depth_stamp_ns=pair.depth_stamp_ns,
            camera=camera,
            fixed_from_camera=self._views.pose(fixed_from_camera),
            rotated_deg=self._views.rotate_deg,
            robot=self._robot.view(
                camera,
                frame_id=shown,
                rotated_deg=self._views.rotate_deg,
                stamp_ns=pair.stamp_ns,
                transforms=self._transforms,
            ),
        )

    def _depth_reader(
        self, image: RecordedImage | None, view: ColorView, stamp_ns: int
    ) -> Callable[[], np.ndarray | None] | None:
        """Depth aligned to colour; transforms are looked up now, because the buffer moves on."""
        if image is None:
            return None
        frame_id = image.content.header.frame_id
        move = self._transforms.lookup(target=view.frame_id, source=frame_id, stamp_ns=stamp_ns)
        origin = DepthOrigin(
            frame_id=frame_id,
            calibration=self._depth_cameras.at(image.stamp_ns),
            color_from_depth=lambda: move,
        )
        read = _decoded_depth(image, self._config)
        return lambda: self._views.depth(read(), view=view, origin=origin)

    def _fixed_from_camera(self, frame_id: str, stamp_ns: int) -> np.ndarray | None:
        target = self._options.target_frame
        if not target:
            return None
        if target == "auto":
            chain = self._transforms.chain(frame_id)
            target = next((name for name in FIXED_FRAMES if name in chain), chain[-1])
        stale_s = self._config.transforms.stale_s
        found = self._transforms.lookup(
            target=target, source=frame_id, stamp_ns=stamp_ns, stale_s=stale_s
        )
        if found is None:
            detail = f"from {frame_id} to {target} within {stale_s:g} s of {stamp_ns} ns"
            self.health.problems.add("no transform", detail)
        return found


def _rgb_reader(image: RecordedImage, limits: InputLimits) -> Callable[[], np.ndarray]:
    content = image.content
    if image.msgtype == COMPRESSED:
        return partial(decode_compressed, content.data, format=content.format, limits=limits)
    return partial(decode_image, content.data, **_layout(content), limits=limits)


def _decoded_depth(image: RecordedImage, config: ServiceConfig) -> Callable[[], np.ndarray]:
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
