"""Distances between the links of an arm, by the shapes of its URDF.

Capsules enclose the shapes; hulls are compared where capsules come near. The reported distance is
never larger than the true one.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Float64

from robot_vision.arm.bodies import Body, body_of
from robot_vision.arm.capsule_pairs import CapsulePairs
from robot_vision.arm.hull_distance import hulls_apart
from robot_vision.arm.meshes import MeshReader, read_mesh
from robot_vision.arm.serial import Posture, SerialArm
from robot_vision.arm.urdf import Joint, Link, Robot


@dataclass(frozen=True, kw_only=True, eq=False)
class _Part:
    """A body in the frame of a link of the chain, by its row of `Posture.base_from_links`.

    −1 is the base.
    """

    link: str
    row: int
    body: Body


class SelfCollision:
    """The links of `robot` that the chain moves, and those at its base.

    `uncovered` names links that are not checked, with the reason. `touching` are pairs that are
    within `margin_m` at `posture` already: they are not checked either, as the arm's design
    intends this.
    """

    def __init__(
        self,
        robot: Robot,
        arm: SerialArm,
        posture: Posture,
        *,
        margin_m: float,
        read: MeshReader = read_mesh,
    ) -> None:
        self._margin_m = margin_m
        self._parts, self.uncovered = _parts(robot, arm, read)
        rows = [part.row for part in self._parts]
        self._compare(
            [
                (first, second)
                for first, second in combinations(range(len(rows)), 2)
                if not _are_neighbours(robot, arm, rows[first], rows[second])
            ]
        )
        touch = self._distances(posture) < margin_m
        near = [pair for pair, at in zip(self._pairs, touch, strict=True) if at]
        self.touching = tuple(sorted({self._names(pair) for pair in near}))
        self._compare([pair for pair in self._pairs if pair not in near])

    def nearest(self, posture: Posture) -> tuple[float, tuple[str, str]]:
        """The smallest distance (m, below 0 where links overlap), and its two links.

        Above `margin_m` it may be underestimated. Infinite if there is no pair to check.
        """
        if not self._pairs:
            return np.inf, ("", "")
        distances = self._distances(posture)
        least = int(distances.argmin())
        return float(distances[least]), self._names(self._pairs[least])

    def _compare(self, pairs: list[tuple[int, int]]) -> None:
        self._pairs = pairs
        bodies = [(part.row, part.body.capsules) for part in self._parts]
        self._capsules = CapsulePairs(bodies, pairs) if pairs else None
        self._ways_m = [np.array([1.0, 0.0, 0.0])] * len(pairs)

    def _names(self, pair: tuple[int, int]) -> tuple[str, str]:
        first, second = (self._parts[index].link for index in pair)
        return first, second

    def _distances(self, posture: Posture) -> Float64[np.ndarray, " pairs"]:
        """Distance of each pair, by capsules, and by hulls where capsules come near."""
        if self._capsules is None:
            return np.empty(0)
        # The base is the last row, which −1 finds.
        poses = np.concatenate([posture.base_from_links, np.eye(4)[None]])
        apart_m = self._capsules.apart_m(poses)
        for index in np.flatnonzero(apart_m < self._margin_m).tolist():
            apart_m[index] = max(apart_m[index], self._hulls_apart_m(index, poses))
        return apart_m

    def _hulls_apart_m(self, index: int, poses: Float64[np.ndarray, "links 4 4"]) -> float:
        first, second = (self._parts[part] for part in self._pairs[index])
        radii_m = first.body.radius_m + second.body.radius_m
        apart_m, self._ways_m[index] = hulls_apart(
            first.body.corners_m,
            second.body.corners_m,
            np.linalg.solve(poses[first.row], poses[second.row]),
            enough_m=self._margin_m + radii_m,
            guess_m=self._ways_m[index],
        )
        # Overlapping hulls do not give a depth; capsules do.
        return apart_m - radii_m if apart_m > 0 else -np.inf


def link_bodies(
    links: Iterable[Link], *, read: MeshReader = read_mesh
) -> tuple[dict[str, list[Body]], dict[str, str]]:
    """Bodies of each link with a collision shape, and why links that are only drawn have none."""
    found, uncovered = {}, {}
    for link in links:
        try:
            bodies = [body_of(shape, read_mesh=read) for shape in link.collision]
        except ValueError as error:
            uncovered[link.name] = str(error)
            continue
        if bodies:
            found[link.name] = bodies
        elif link.visual:
            uncovered[link.name] = "it is drawn, but has no collision shape"
    return found, uncovered


def _parts(
    robot: Robot, arm: SerialArm, read: MeshReader
) -> tuple[list[_Part], Mapping[str, str]]:
    carriers = {name: _carrier(robot, arm, name) for name in robot.links}
    own = [link for name, link in robot.links.items() if carriers[name] is not None]
    found, uncovered = link_bodies(own, read=read)
    parts = []
    for name, bodies in found.items():
        row, carrier_from_link = carriers[name] or (-1, np.eye(4))
        parts += [_Part(link=name, row=row, body=body.moved(carrier_from_link)) for body in bodies]
    return parts, uncovered


def _carrier(
    robot: Robot, arm: SerialArm, link: str
) -> tuple[int, Float64[np.ndarray, "4 4"]] | None:
    """The row of the chain's link that carries a link, and the pose; None for another robot's.

    Joints off the chain, such as a gripper's fingers, are assumed at position 0.
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
    """Whether at most one joint moves one relative to the other."""
    low, high = sorted((first, second))
    between = (robot.joints[arm.link_names[row]] for row in range(low + 1, high + 1))
    return sum(joint.kind != "fixed" for joint in between) <= 1
