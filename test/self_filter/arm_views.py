"""A small arm before a camera that looks at it from a metre away, as a URDF."""

from typing import Any

import numpy as np

from robot_vision.arm.urdf import read_urdf
from robot_vision.core.types import Camera
from robot_vision.self_filter.self_filter import SelfFilter

WIDTH_PX, HEIGHT_PX, FOCAL_PX = 416, 320, 400.0
CAMERA = Camera(
    frame_id="camera",
    width_px=WIDTH_PX,
    height_px=HEIGHT_PX,
    intrinsics_px=np.array([[FOCAL_PX, 0, 207.5], [0, FOCAL_PX, 159.5], [0, 0, 1.0]]),
)
BOX = '<visual><geometry><box size="0.1 0.1 0.2"/></geometry></visual>'


def urdf(hand: str = BOX, *, table: str = "", more: str = "") -> str:
    """A slide along x on a stand, in the camera's axes 1 m before it; the hand is what slides."""
    return f"""<robot name="slide">
      <link name="world">{table}</link><link name="stand"/><link name="hand">{hand}</link>
      <joint name="feet" type="fixed"><parent link="world"/><child link="stand"/>
        <origin xyz="0 0 1"/></joint>
      <joint name="slide" type="prismatic"><parent link="stand"/><child link="hand"/>
        <axis xyz="1 0 0"/></joint>{more}</robot>"""


def filter_of(text: str, *, padding_m: float = 0.0, **options: Any) -> SelfFilter:
    return SelfFilter(read_urdf(text), padding_m=padding_m, **options)
