"""Forward kinematics of an arm from its URDF: where the joints say that the tool is.

Format: https://wiki.ros.org/urdf/XML/joint (origin by roll, pitch and yaw about fixed axes).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import cos, sin
from xml.etree import ElementTree

import numpy as np
from jaxtyping import Float

from robot_vision.core.errors import ConfigError
from robot_vision.core.foreign import quoted
from robot_vision.policies import rotations

_MOVING = ("revolute", "continuous", "prismatic")
_MOST_JOINTS = 100
_MOST_NUMBER = 1e6


@dataclass(frozen=True, kw_only=True, eq=False)
class _Joint:
    """`parent_from_joint` at position 0. `source` is whose position it takes (mimic), scaled."""

    name: str
    kind: str
    parent: str
    parent_from_joint: Float[np.ndarray, "4 4"]
    axis: Float[np.ndarray, "3"]
    source: str
    multiplier: float
    offset: float

    def moved(self, position: float) -> Float[np.ndarray, "4 4"]:
        value = self.multiplier * position + self.offset
        if self.kind == "prismatic":
            return rotations.pose_matrix(self.axis * value, np.array([0.0, 0.0, 0.0, 1.0]))
        return rotations.pose_matrix(np.zeros(3), rotations.exp(self.axis * value))


class Kinematics:
    """The chain of joints from a base link to a tool link."""

    def __init__(self, chain: tuple[_Joint, ...]) -> None:
        self._chain = chain
        self.joint_names = tuple(
            dict.fromkeys(joint.source for joint in chain if joint.kind != "fixed")
        )

    def base_from_tool(self, joints: Mapping[str, float]) -> Float[np.ndarray, "4 4"] | None:
        """The tool's pose at joint positions (rad or m); None while a joint is missing."""
        if any(name not in joints for name in self.joint_names):
            return None
        pose = np.eye(4)
        for joint in self._chain:
            pose = pose @ joint.parent_from_joint
            if joint.kind != "fixed":
                pose = pose @ joint.moved(joints[joint.source])
        return pose


def read_urdf(text: str, *, base_link: str, tool_link: str) -> Kinematics:
    """The chain between two links of a URDF; raises `ConfigError` that says what is wrong."""
    by_child = _joints(text)
    chain: list[_Joint] = []
    link = tool_link
    while link != base_link:
        joint = by_child.get(link)
        if joint is None or len(chain) >= _MOST_JOINTS:
            raise ConfigError(
                f"robot_description has no chain of joints from {base_link!r} to {tool_link!r}: "
                f"{quoted(link)} has no parent; its links are "
                f"{quoted(', '.join(sorted(by_child)) or 'none')}"
            )
        chain.append(joint)
        link = joint.parent
    return Kinematics(tuple(reversed(chain)))


def _joints(text: str) -> dict[str, _Joint]:
    """All joints by their child link."""
    # A document type is no part of URDF, and entities make a short text long.
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise ConfigError("robot_description has a document type, which no URDF needs")
    try:
        # Nothing can expand: see above.
        robot = ElementTree.fromstring(text)  # noqa: S314
        found = {joint[0]: joint[1] for joint in map(_joint, robot.findall("joint"))}
    except (ElementTree.ParseError, RecursionError, ValueError) as error:
        raise ConfigError(f"robot_description is no URDF: {error}") from error
    return found


def _joint(element: ElementTree.Element) -> tuple[str, _Joint]:
    name, kind = element.get("name", ""), element.get("type", "")
    if kind != "fixed" and kind not in _MOVING:
        kind = "fixed"  # floating and planar joints are not an arm's: they stand still here
    origin, mimic = element.find("origin"), element.find("mimic")
    x, y, z = _numbers(origin, "xyz", "0 0 0")
    axis = np.array(_numbers(element.find("axis"), "xyz", "1 0 0"))
    norm = float(np.linalg.norm(axis))
    if kind in _MOVING and not norm > 0:
        raise ValueError(f"joint {quoted(name)} has the axis 0 0 0")
    joint = _Joint(
        name=name,
        kind=kind,
        parent=_link(element, "parent"),
        parent_from_joint=rotations.pose_matrix(
            np.array([x, y, z]), _from_rpy(*_numbers(origin, "rpy", "0 0 0"))
        ),
        axis=axis / norm if norm > 0 else axis,
        source=name if mimic is None else mimic.get("joint", ""),
        multiplier=1.0 if mimic is None else _number(mimic, "multiplier", "1"),
        offset=0.0 if mimic is None else _number(mimic, "offset", "0"),
    )
    return _link(element, "child"), joint


def _link(joint: ElementTree.Element, side: str) -> str:
    element = joint.find(side)
    if element is None or not element.get("link"):
        raise ValueError(f"joint {quoted(joint.get('name', ''))} has no {side} link")
    return element.get("link", "")


def _numbers(element: ElementTree.Element | None, name: str, default: str) -> list[float]:
    text = default if element is None else element.get(name, default)
    values = [float(part) for part in text.split()]
    if len(values) != 3 or not all(abs(value) < _MOST_NUMBER for value in values):
        raise ValueError(f"{name}={quoted(text)}; expected three finite numbers")
    return values


def _number(element: ElementTree.Element, name: str, default: str) -> float:
    text = element.get(name, default)
    if not abs(float(text)) < _MOST_NUMBER:
        raise ValueError(f"{name}={quoted(text)}; expected a number below {_MOST_NUMBER:g}")
    return float(text)


def _from_rpy(roll: float, pitch: float, yaw: float) -> rotations.Quaternion:
    turns = [
        np.array([sin(roll / 2), 0.0, 0.0, cos(roll / 2)]),
        np.array([0.0, sin(pitch / 2), 0.0, cos(pitch / 2)]),
        np.array([0.0, 0.0, sin(yaw / 2), cos(yaw / 2)]),
    ]
    return rotations.multiply(turns[2], rotations.multiply(turns[1], turns[0]))
