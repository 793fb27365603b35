"""How near links of an arm come to each other, by capsules around the shapes of its URDF.

A capsule is all points within a radius of a segment; that of a box or cylinder holds it whole, so
that the distance is never said to be larger than it is. Meshes have no size in the URDF.
"""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Float64

from robot_vision.arm.serial import Posture, SerialArm
from robot_vision.arm.urdf import Joint, Robot, Shape

Points = Float64[np.ndarray, "n 3"]
# Segments shorter than this are points.
_POINT_M2 = 1e-12


@dataclass(frozen=True, kw_only=True, eq=False)
class _Capsules:
    """A row per shape: its row of `Posture.base_from_links` (−1: the base), ends, radius."""

    link_names: tuple[str, ...]
    row: np.ndarray
    start_m: Points
    end_m: Points
    radius_m: Float64[np.ndarray, " n"]


class SelfCollision:
    """The links of `robot` that the chain moves, and those at its base.

    `unsized` names links with meshes, which are not looked at. `touching` are pairs that are
    within `margin_m` at `posture` already: they are not looked at either, whoever built the arm
    meant them so.
    """

    def __init__(self, robot: Robot, arm: SerialArm, posture: Posture, *, margin_m: float) -> None:
        self._capsules, self.unsized = _capsules(robot, arm)
        rows = self._capsules.row
        self._pairs = np.array(
            [
                (first, second)
                for first, second in combinations(range(len(rows)), 2)
                if not _are_neighbours(robot, arm, int(rows[first]), int(rows[second]))
            ],
            np.intp,
        ).reshape(-1, 2)
        near = self._distances(posture) < margin_m
        self.touching = tuple(sorted({self._names(pair) for pair in self._pairs[near].tolist()}))
        self._pairs = self._pairs[~near]

    def nearest(self, posture: Posture) -> tuple[float, tuple[str, str]]:
        """The least distance (m, below 0 where capsules overlap), and between which links.

        Infinite where there is no pair to look at.
        """
        if not len(self._pairs):
            return np.inf, ("", "")
        distances = self._distances(posture)
        least = int(distances.argmin())
        return float(distances[least]), self._names(self._pairs[least].tolist())

    def _names(self, pair: list[int]) -> tuple[str, str]:
        first, second = (self._capsules.link_names[index] for index in pair)
        return first, second

    def _distances(self, posture: Posture) -> Float64[np.ndarray, " pairs"]:
        capsules, (first, second) = self._capsules, self._pairs.T
        # The base is the last row, which −1 finds.
        poses = np.concatenate([posture.base_from_links, np.eye(4)[None]])[capsules.row]
        turn, place_m = poses[:, :3, :3], poses[:, :3, 3]
        start_m = (turn @ capsules.start_m[:, :, None])[:, :, 0] + place_m
        way_m = (turn @ (capsules.end_m - capsules.start_m)[:, :, None])[:, :, 0]
        apart_m = _segments_apart(start_m[first], way_m[first], start_m[second], way_m[second])
        return apart_m - capsules.radius_m[first] - capsules.radius_m[second]


def _segments_apart(
    start: Points, way: Points, other_start: Points, other_way: Points
) -> Float64[np.ndarray, " n"]:
    """Least distance of two segments (Ericson 2005, Real-Time Collision Detection, 5.1.9)."""
    between = start - other_start
    a, e = _dot(way, way), _dot(other_way, other_way)
    b, c, f = _dot(way, other_way), _dot(way, between), _dot(other_way, between)
    safe_a, safe_e = np.maximum(a, _POINT_M2), np.maximum(e, _POINT_M2)
    slant = a * e - b * b
    parallel = slant <= 1e-9 * a * e + _POINT_M2**2
    s = np.where(parallel, 0.0, np.clip((b * f - c * e) / np.where(parallel, 1.0, slant), 0, 1))
    t = np.clip((b * s + f) / safe_e, 0, 1)
    s = np.clip((b * t - c) / safe_a, 0, 1)
    nearest = between + s[:, None] * way - t[:, None] * other_way
    return np.sqrt(_dot(nearest, nearest))


def _dot(first: Points, second: Points) -> Float64[np.ndarray, " n"]:
    return (first * second).sum(axis=1)


def _capsules(robot: Robot, arm: SerialArm) -> tuple[_Capsules, tuple[str, ...]]:
    names, rows, segments, unsized = [], [], [], []
    for link in robot.links.values():
        found = _carrier(robot, arm, link.name)
        if found is None:
            continue
        row, carrier_from_link = found
        for shape in link.collision:
            if shape.kind == "mesh":
                unsized.append(link.name)
                continue
            start_m, end_m, radius_m = _capsule(shape)
            ends = np.array([[*start_m, 1.0], [*end_m, 1.0]])
            ends = (ends @ (carrier_from_link @ shape.link_from_shape).T)[:, :3]
            names.append(link.name)
            rows.append(row)
            segments.append((ends[0], ends[1], radius_m))
    capsules = _Capsules(
        link_names=tuple(names),
        row=np.array(rows, np.intp),
        start_m=np.array([start for start, _, _ in segments]).reshape(-1, 3),
        end_m=np.array([end for _, end, _ in segments]).reshape(-1, 3),
        radius_m=np.array([radius for _, _, radius in segments], np.float64),
    )
    return capsules, tuple(dict.fromkeys(unsized))


def _carrier(
    robot: Robot, arm: SerialArm, link: str
) -> tuple[int, Float64[np.ndarray, "4 4"]] | None:
    """The row of the chain's link that carries a link, and where; None for another robot's.

    Joints off the chain, as a gripper's fingers, are taken at position 0.
    """
    carrier_from_link = np.eye(4)
    for _ in range(len(robot.joints) + 1):
        if link in arm.link_names:
            return arm.link_names.index(link), carrier_from_link
        if link == arm.base_link:
            return -1, carrier_from_link
        joint: Joint | None = robot.joints.get(link)
        if joint is None:
            return None
        carrier_from_link = joint.parent_from_child(0.0) @ carrier_from_link
        link = joint.parent
    return None


def _are_neighbours(robot: Robot, arm: SerialArm, first: int, second: int) -> bool:
    """Whether one joint at most moves one against the other."""
    low, high = sorted((first, second))
    between = (robot.joints[arm.link_names[row]] for row in range(low + 1, high + 1))
    return sum(joint.kind != "fixed" for joint in between) <= 1


def _capsule(shape: Shape) -> tuple[list[float], list[float], float]:
    """Ends of the segment in the shape's frame, and the radius, that hold the whole shape."""
    if shape.kind == "sphere":
        return [0.0] * 3, [0.0] * 3, shape.size_m[0]
    if shape.kind == "cylinder":
        radius_m, length_m = shape.size_m
        return [0.0, 0.0, -length_m / 2], [0.0, 0.0, length_m / 2], radius_m
    half_m = np.array(shape.size_m) / 2
    longest = int(half_m.argmax())
    end_m = np.zeros(3)
    end_m[longest] = half_m[longest]
    radius_m = float(np.linalg.norm(np.delete(half_m, longest)))
    return (-end_m).tolist(), end_m.tolist(), radius_m
