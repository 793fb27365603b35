"""Depth up to scale and shift, as MiDaS and Depth Anything give it: disparity, larger is nearer.

`depth` is [1, h, w] or [1, 1, h, w].
"""

from robot_vision.formats.format import Format
from robot_vision.formats.habits import IMAGENET
from robot_vision.formats.registry import register_format

register_format(
    Format(
        name="depth_relative",
        task="depth",
        roles=("depth",),
        depth_kind="relative",
        habits={"resize": "stretch", **IMAGENET},
        other_names={"predicted_depth": "depth"},
    )
)
