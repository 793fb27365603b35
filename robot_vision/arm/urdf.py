"""Reads a robot's description: its joints with their limits, its links with their shapes.

Format: https://wiki.ros.org/urdf/XML (origins by roll, pitch and yaw about fixed axes).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import cos, inf, sin
from typing import Literal
from xml.etree.ElementTree import Element

import numpy as np
from jaxtyping import Float64

from robot_vision.core import quaternions
from robot_vision.core.errors import ConfigError, ForeignFileError
from robot_vision.core.files.foreign import quoted
from robot_vision.core.files.foreign_xml import parse_xml

JointKind = Literal["fixed", "revolute", "continuous", "prismatic"]
_MOVING: tuple[JointKind, ...] = ("revolute", "continuous", "prismatic")
_MOST_NUMBER = 1e6


@dataclass(frozen=True, kw_only=True)
class JointLimits:
    """Of position (rad or m), velocity (per second), effort (N or Nm); infinite if not given."""

    lower: float = -inf
    upper: float = inf
    velocity: float = inf
    effort: float = inf


@dataclass(frozen=True, kw_only=True, eq=False)
class Joint:
    """`parent_from_joint` at position 0. `source`: the joint whose scaled position it mimics."""

    name: str
    kind: JointKind
    parent: str
    child: str
    parent_from_joint: Float64[np.ndarray, "4 4"]
    axis: Float64[np.ndarray, "3"]
    limits: JointLimits
    source: str
    multiplier: float
    offset: float

    def parent_from_child(self, position: float) -> Float64[np.ndarray, "4 4"]:
        """The child's pose when the source is at `position` (rad or m)."""
        if self.kind == "fixed":
            return self.parent_from_joint
        value = self.multiplier * position + self.offset
        if self.kind == "prismatic":
            return self.parent_from_joint @ quaternions.pose_matrix(
                self.axis * value, np.array([0.0, 0.0, 0.0, 1.0])
            )
        turned = quaternions.pose_matrix(np.zeros(3), quaternions.exp(self.axis * value))
        return self.parent_from_joint @ turned


@dataclass(frozen=True, kw_only=True, eq=False)
class Shape:
    """A shape on a link. `size_m`: a box's edges, a cylinder's (radius, length), a sphere's
    (radius,), the scale of a mesh (per axis, no unit), whose file is `mesh`."""

    kind: Literal["box", "cylinder", "sphere", "mesh"]
    link_from_shape: Float64[np.ndarray, "4 4"]
    size_m: tuple[float, ...]
    mesh: str = ""


@dataclass(frozen=True, kw_only=True, eq=False)
class Link:
    """A link with its visual and collision shapes."""

    name: str
    visual: tuple[Shape, ...] = ()
    collision: tuple[Shape, ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class Robot:
    """`links` by name, `joints` by their child link: a link has at most one parent."""

    name: str
    links: Mapping[str, Link]
    joints: Mapping[str, Joint]


def read_urdf(text: str) -> Robot:
    """The robot of a URDF; raises `ConfigError` that names the problem.

    Floating and planar joints are not an arm's: they count as fixed. Nothing outside the
    text is read: meshes are named, not opened.
    """
    try:
        root = parse_xml(text, what="robot_description")
        links = [_link(element) for element in root.findall("link")]
        joints = [_joint(element) for element in root.findall("joint")]
    except (ForeignFileError, ValueError) as error:
        raise ConfigError(f"robot_description is not a URDF: {error}") from error
    return Robot(
        name=root.get("name", ""),
        links={link.name: link for link in links},
        joints={joint.child: joint for joint in joints},
    )


def _link(element: Element) -> Link:
    return Link(
        name=element.get("name", ""),
        visual=_shapes(element, "visual"),
        collision=_shapes(element, "collision"),
    )


def _shapes(link: Element, role: str) -> tuple[Shape, ...]:
    shapes = []
    for element in link.findall(role):
        geometry = element.find("geometry")
        if geometry is not None:
            link_from_shape = _pose(element.find("origin"))
            shapes += [_shape(child, link_from_shape) for child in geometry]
    return tuple(shape for shape in shapes if shape is not None)


def _shape(element: Element, link_from_shape: Float64[np.ndarray, "4 4"]) -> Shape | None:
    """None for kinds that URDF does not have."""
    if element.tag == "box":
        size = _numbers(element, "size", "")
        return Shape(kind="box", link_from_shape=link_from_shape, size_m=size)
    if element.tag == "cylinder":
        size = (_number(element, "radius", ""), _number(element, "length", ""))
        return Shape(kind="cylinder", link_from_shape=link_from_shape, size_m=size)
    if element.tag == "sphere":
        size = (_number(element, "radius", ""),)
        return Shape(kind="sphere", link_from_shape=link_from_shape, size_m=size)
    if element.tag == "mesh":
        scale = _numbers(element, "scale", "1 1 1")
        file = element.get("filename", "")
        return Shape(kind="mesh", link_from_shape=link_from_shape, size_m=scale, mesh=file)
    return None


def _joint(element: Element) -> Joint:
    name, kind = element.get("name", ""), _kind(element.get("type", ""))
    mimic = element.find("mimic")
    axis = np.array(_numbers(element.find("axis"), "xyz", "1 0 0"))
    norm = float(np.linalg.norm(axis))
    if kind in _MOVING and not norm > 0:
        raise ValueError(f"joint {quoted(name)} has the axis 0 0 0")
    return Joint(
        name=name,
        kind=kind,
        parent=_side(element, "parent"),
        child=_side(element, "child"),
        parent_from_joint=_pose(element.find("origin")),
        axis=axis / norm if norm > 0 else axis,
        limits=_limits(element.find("limit"), kind),
        source=name if mimic is None else mimic.get("joint", ""),
        multiplier=1.0 if mimic is None else _number(mimic, "multiplier", "1"),
        offset=0.0 if mimic is None else _number(mimic, "offset", "0"),
    )


def _kind(text: str) -> JointKind:
    for kind in _MOVING:
        if kind == text:
            return kind
    return "fixed"


def _limits(element: Element | None, kind: JointKind) -> JointLimits:
    """URDF's default is 0, which no driver means: a limit that is not given does not limit."""
    if element is None:
        return JointLimits()
    ends = {} if kind == "continuous" else {"lower": "lower", "upper": "upper"}
    said = {
        field: _number(element, name, "")
        for field, name in (ends | {"velocity": "velocity", "effort": "effort"}).items()
        if element.get(name) is not None
    }
    return JointLimits(**said)


def _side(joint: Element, side: str) -> str:
    element = joint.find(side)
    if element is None or not element.get("link"):
        raise ValueError(f"joint {quoted(joint.get('name', ''))} has no {side} link")
    return element.get("link", "")


def _pose(origin: Element | None) -> Float64[np.ndarray, "4 4"]:
    place_m = np.array(_numbers(origin, "xyz", "0 0 0"))
    return quaternions.pose_matrix(place_m, _from_rpy(*_numbers(origin, "rpy", "0 0 0")))


def _numbers(element: Element | None, name: str, default: str) -> tuple[float, float, float]:
    text = default if element is None else element.get(name, default)
    values = [float(part) for part in text.split()]
    if len(values) != 3 or not all(abs(value) < _MOST_NUMBER for value in values):
        raise ValueError(f"{name}={quoted(text)}; expected three finite numbers")
    return values[0], values[1], values[2]


def _number(element: Element, name: str, default: str) -> float:
    text = element.get(name, default)
    if not abs(float(text or "nan")) < _MOST_NUMBER:
        raise ValueError(f"{name}={quoted(text)}; expected a number below {_MOST_NUMBER:g}")
    return float(text)


def _from_rpy(roll: float, pitch: float, yaw: float) -> quaternions.Quaternion:
    turns = [
        np.array([sin(roll / 2), 0.0, 0.0, cos(roll / 2)]),
        np.array([0.0, sin(pitch / 2), 0.0, cos(pitch / 2)]),
        np.array([0.0, 0.0, sin(yaw / 2), cos(yaw / 2)]),
    ]
    return quaternions.multiply(turns[2], quaternions.multiply(turns[1], turns[0]))
