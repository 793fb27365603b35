"""Finds a robot's own links in a picture, from its description and its joints."""

from collections.abc import Collection, Mapping

import numpy as np
from jaxtyping import Float64

from robot_vision.arm.kinematics import link_poses
from robot_vision.arm.meshes import MeshReader, read_mesh
from robot_vision.arm.urdf import Robot
from robot_vision.core.errors import ConfigError
from robot_vision.core.files.foreign import quoted
from robot_vision.core.types import Camera, RobotView
from robot_vision.self_filter.drawing import Drawing
from robot_vision.self_filter.own_links import joints_above, own_links, root_of


class SelfFilter:
    """Draws the own links of `robot`, each larger by `padding_m`.

    Poses of cameras are relative to `base_link`; empty takes the root. `unseen` says for
    which own links there is no shape, and why; `joint_names` are the joints that move drawn links.
    Raises `ConfigError` where there is nothing to draw.
    """

    def __init__(
        self,
        robot: Robot,
        *,
        padding_m: float,
        base_link: str = "",
        ignored_links: Collection[str] = (),
        read: MeshReader = read_mesh,
    ) -> None:
        self.base_link = base_link or root_of(robot)
        if base_link and base_link not in robot.links:
            raise ConfigError(
                f"self_filter.base_link is {base_link!r}; links of robot_description: "
                f"{quoted(', '.join(sorted(robot.links)))}"
            )
        links = own_links(robot, padding_m=padding_m, ignored=ignored_links, read=read)
        self._robot, self.unseen = robot, links.unseen
        self._names = [name for name, solids in links.solids.items() for _ in solids]
        self._drawing = Drawing([solid for solids in links.solids.values() for solid in solids])
        self.joint_names = _moving(robot, self._names)

    def base_from_link(
        self, link: str, joints: Mapping[str, float]
    ) -> Float64[np.ndarray, "4 4"] | None:
        """The pose of a link, such as a camera's; None if the description does not give it."""
        return link_poses(self._robot, joints, base_link=self.base_link).get(link)

    def view(
        self,
        camera: Camera,
        *,
        base_from_camera: Float64[np.ndarray, "4 4"],
        joints: Mapping[str, float],
    ) -> RobotView:
        """The robot in a picture. Links behind joints that `joints` lacks are left out."""
        poses = link_poses(self._robot, joints, base_link=self.base_link)
        return self._drawing.view(
            camera, base_from_camera, [poses.get(name) for name in self._names]
        )


def _moving(robot: Robot, links: Collection[str]) -> tuple[str, ...]:
    """Joints that move any of the links."""
    found: dict[str, None] = {}
    for name in links:
        for joint in joints_above(robot, name):
            if joint.kind != "fixed":
                found[joint.source] = None
    return tuple(found)
