"""The arm of `robot_description` in the policy's frames."""

from robot_vision.arm.kinematics import Kinematics, chain_of, framed
from robot_vision.arm.urdf import Robot, read_urdf
from robot_vision.core.cameras.geometry import invert_transform
from robot_vision.core.errors import ConfigError
from robot_vision.core.parameters.robot_config import PolicyNodeConfig


def arm_of(text: str, config: PolicyNodeConfig) -> Kinematics:
    """The chain from the policy's base to its tool. Raises `ConfigError` that names the frame."""
    frames, joint_space = config.frame_map(), config.joint_space
    robot = read_urdf(text)
    chain = chain_of(
        robot,
        base_link=_link(robot, "base", link=joint_space.base_link, frame=frames.base_frame),
        tool_link=_link(robot, "tool", link=joint_space.tool_link, frame=frames.tool_frame),
    )
    return framed(
        chain,
        base_from_root=invert_transform(frames.robot_from_base),
        tip_from_tool=frames.link_from_tool,
    )


def _link(robot: Robot, role: str, *, link: str, frame: str) -> str:
    """The link that represents a frame of the robot.

    A frame and a link of the same description may be rotated against each other, as `base` and
    `base_link` of a UR are by half a turn: then it is ambiguous which one is meant.
    """
    if link and link != frame and frame in robot.links:
        raise ConfigError(
            f"joint_space.{role}_link is {link!r} but the {role} frame is {frame!r}, and "
            f"robot_description has both links: set frames.{role} to the one that is meant, and "
            f"joint_space.{role}_link to ''"
        )
    return link or frame
