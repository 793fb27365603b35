"""Checks of an arm's description: which links self-collision can check."""

from collections.abc import Iterator
from pathlib import Path

from robot_vision.arm.self_collision import link_bodies
from robot_vision.arm.urdf import read_urdf
from robot_vision.core.errors import RobotVisionError
from robot_vision.core.files.foreign import quoted, read_text
from robot_vision.doctor import Finding

SUBJECT = "self-collision"


def examine_arm(description: Path) -> Iterator[Finding]:
    """Check a URDF (not xacro) and its meshes, as the node would find them on this machine."""
    try:
        robot = read_urdf(read_text(description))
    except RobotVisionError as error:
        advice = "xacro arm.urdf.xacro > arm.urdf makes one"
        yield Finding(subject=SUBJECT, level="error", found=f"{error}", advice=advice)
        return
    covered, uncovered = link_bodies(robot.links.values())
    for link, why in uncovered.items():
        yield Finding(
            subject=SUBJECT,
            level="warn",
            found=f"link {quoted(link)} is not checked: {why}",
            advice="source the workspace that has the mesh (STL or OBJ), or give the link a box, "
            "cylinder or sphere as collision shape",
        )
    yield Finding(
        subject=SUBJECT,
        level="ok" if covered else "warn",
        found=f"checks {len(covered)} links of {robot.name}: {', '.join(covered) or 'none'}",
        advice="" if covered else "give the arm's links collision shapes",
    )
