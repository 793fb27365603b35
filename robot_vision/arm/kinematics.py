"""Forward kinematics: the poses of a robot's links from its joints."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float64

from robot_vision.arm.urdf import Joint, JointLimits, Robot, read_urdf
from robot_vision.core.errors import ConfigError
from robot_vision.core.files.foreign import quoted

_MOST_JOINTS = 100


class Kinematics:
    """The chain of joints from a base link to a tool link of `robot`."""

    def __init__(self, chain: tuple[Joint, ...], robot: Robot) -> None:
        self.chain, self.robot = chain, robot
        self.joint_names = tuple(
            dict.fromkeys(joint.source for joint in chain if joint.kind != "fixed")
        )

    def base_from_tool(self, joints: Mapping[str, float]) -> Float64[np.ndarray, "4 4"] | None:
        """The tool's pose at joint positions (rad or m); None while a joint is missing."""
        if any(name not in joints for name in self.joint_names):
            return None
        pose = np.eye(4)
        for joint in self.chain:
            pose = pose @ joint.parent_from_child(joints.get(joint.source, 0.0))
        return pose


def chain_of(robot: Robot, *, base_link: str, tool_link: str) -> Kinematics:
    """The chain between two links; raises `ConfigError` that names the link without a parent."""
    chain: list[Joint] = []
    link = tool_link
    while link != base_link:
        joint = robot.joints.get(link)
        if joint is None or len(chain) >= _MOST_JOINTS:
            raise ConfigError(
                f"robot_description has no chain of joints from {base_link!r} to {tool_link!r}: "
                f"{quoted(link)} has no parent; its links are "
                f"{quoted(', '.join(sorted(robot.joints)) or 'none')}"
            )
        chain.append(joint)
        link = joint.parent
    return Kinematics(tuple(reversed(chain)), robot)


def framed(
    kinematics: Kinematics,
    *,
    base_from_root: Float64[np.ndarray, "4 4"],
    tip_from_tool: Float64[np.ndarray, "4 4"],
) -> Kinematics:
    """The same joints from another base frame to another frame on the last link.

    Raises `ConfigError` if both ends are the same link.
    """
    if not kinematics.chain:
        raise ConfigError("the base and the tool are one link of robot_description")
    first, last = kinematics.chain[0].parent, kinematics.chain[-1].child
    ends = (
        _fixed("", first, base_from_root),
        *kinematics.chain,
        _fixed(last, "", tip_from_tool),
    )
    return Kinematics(ends, kinematics.robot)


def _fixed(parent: str, child: str, parent_from_child: Float64[np.ndarray, "4 4"]) -> Joint:
    return Joint(
        name="",
        kind="fixed",
        parent=parent,
        child=child,
        parent_from_joint=parent_from_child,
        axis=np.array([1.0, 0.0, 0.0]),
        limits=JointLimits(),
        source="",
        multiplier=1.0,
        offset=0.0,
    )


def read_chain(text: str, *, base_link: str, tool_link: str) -> Kinematics:
    """The chain between two links of a URDF; raises `ConfigError` that names the problem."""
    return chain_of(read_urdf(text), base_link=base_link, tool_link=tool_link)


def link_poses(
    robot: Robot, joints: Mapping[str, float], *, base_link: str
) -> dict[str, Float64[np.ndarray, "4 4"]]:
    """`base_from_link` of every link below `base_link` whose joints are all known."""
    poses = {base_link: np.eye(4)}
    children: dict[str, list[Joint]] = {}
    for joint in robot.joints.values():
        children.setdefault(joint.parent, []).append(joint)
    open_links = [base_link]
    while open_links:
        parent = open_links.pop()
        for joint in children.get(parent, ()):
            known = joint.kind == "fixed" or joint.source in joints
            if known and joint.child not in poses:
                position = joints.get(joint.source, 0.0)
                poses[joint.child] = poses[parent] @ joint.parent_from_child(position)
                open_links.append(joint.child)
    return poses
