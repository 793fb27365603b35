"""Builds a `Frame` from captured messages; bad depth or intrinsics cost only these."""

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

import numpy as np
from jaxtyping import Float32, Float64

from robot_vision.core.errors import EncodingError
from robot_vision.core.parameters.config import NodeConfig
from robot_vision.core.types import Frame
from robot_vision.ros.common.health import Health
from robot_vision.ros.messages.convert import depth_from_message, rgb_from_message
from robot_vision.ros.perception.inputs.topics import Capture
from robot_vision.sync.views import ColorView, DepthOrigin, Views

Lookup: TypeAlias = Callable[..., Float64[np.ndarray, "4 4"] | None]
"""`target_from_source`, as `TransformBuffer.lookup`."""


class FrameBuilder:
    """Decodes captures, and makes their parts fit together."""

    def __init__(
        self,
        config: NodeConfig,
        health: Health,
        *,
        rgb_topic: str = "rgb",
        depth_topic: str = "depth",
        lookup: Lookup = lambda **_: None,
    ) -> None:
        self._health = health
        self._lookup = lookup
        self._views = Views(
            config, rgb_topic=rgb_topic, depth_topic=depth_topic, report=health.noted
        )
        self.use(config)

    def use(self, config: NodeConfig) -> None:
        """Apply new parameters."""
        self._config = config
        self._views.use(config)

    def pose(
        self, fixed_from_camera: Float64[np.ndarray, "4 4"] | None
    ) -> Float64[np.ndarray, "4 4"] | None:
        """The pose of the frame's camera, with its axes turned as its images are."""
        return self._views.pose(fixed_from_camera)

    def build(
        self, capture: Capture, *, fixed_from_camera: Float64[np.ndarray, "4 4"] | None = None
    ) -> Frame:
        """The frame of a capture; raises `EncodingError` if its colour image cannot be read.

        `fixed_from_camera` is what `pose` gave.
        """
        rgb = rgb_from_message(capture.rgb, limits=self._config.limits)
        frame_id = capture.rgb.header.frame_id
        view = self._views.color_view(
            frame_id, size_px=(rgb.shape[1], rgb.shape[0]), calibration=capture.calibration
        )
        depth_m = self._depth(capture, view)
        return Frame(
            stamp_ns=capture.stamp_ns,
            frame_id=self._views.frame_id(frame_id),
            rgb=self._views.rgb(rgb),
            camera=self._views.camera(view),
            depth_m=depth_m,
            depth_stamp_ns=None if depth_m is None else capture.depth_stamp_ns,
            fixed_from_camera=fixed_from_camera,
            rotated_deg=self._views.rotate_deg,
        )

    def _depth(self, capture: Capture, view: ColorView) -> Float32[np.ndarray, "h w"] | None:
        if capture.depth is None:
            if self._config.input.depth_transport != "none":
                self._health.noted(f"depth {capture.why_no_depth}".replace("no_depth", "absent"))
            return None
        try:
            depth_m = depth_from_message(
                capture.depth,
                raw_unit_m=self._config.depth.raw_unit_m,
                float_unit_m=self._config.depth.float_unit_m,
                limits=self._config.limits,
            )
        except EncodingError as error:
            self._health.noted("depth unreadable", str(error))
            return None
        frame_id = capture.depth.header.frame_id
        origin = DepthOrigin(
            frame_id=frame_id,
            calibration=capture.depth_calibration,
            color_from_depth=partial(
                self._lookup, target=view.frame_id, source=frame_id, stamp_ns=capture.stamp_ns
            ),
        )
        return self._views.depth(depth_m, view=view, origin=origin)
