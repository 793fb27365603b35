"""Which links of a description are the robot's own, and their shapes.

A description often includes the table and the cell: own links are those that joints move, and
the one that the first of these joints stands on.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from robot_vision.arm.meshes import MeshReader, read_mesh
from robot_vision.arm.urdf import Joint, Link, Robot
from robot_vision.core.errors import ConfigError
from robot_vision.core.files.foreign import quoted
from robot_vision.self_filter.solids import Solid, solid_of

_MOST_SOLIDS = 256


@dataclass(frozen=True, kw_only=True, eq=False)
class OwnLinks:
    """`solids` by link; `unseen` are own links that cannot be drawn, with the reason."""

    solids: Mapping[str, tuple[Solid, ...]]
    unseen: Mapping[str, str]


def own_links(
    robot: Robot,
    *,
    padding_m: float,
    ignored: Collection[str] = (),
    read: MeshReader = read_mesh,
) -> OwnLinks:
    """The bodies of the robot's own links: their visual shapes, else their collision shapes.

    A link without any shape is a frame, not a part of the robot. Raises `ConfigError` where no
    link can be drawn, for unknown ignored links, and for more bodies than robots have.
    """
    unknown = set(ignored) - set(robot.links)
    if unknown:
        raise ConfigError(
            f"self_filter.ignored_links has {quoted(', '.join(sorted(unknown)))}; links of "
            f"robot_description: {quoted(', '.join(sorted(robot.links)))}"
        )
    solids, unseen = {}, {}
    for name in sorted(_moved(robot) - set(ignored)):
        link = robot.links.get(name, Link(name=name))
        try:
            if found := _solids(link, padding_m, read):
                solids[name] = found
        except ValueError as error:
            unseen[name] = str(error)
    count = sum(map(len, solids.values()))
    if count > _MOST_SOLIDS:
        raise ConfigError(
            f"robot_description has {count} shapes; at most {_MOST_SOLIDS} are drawn"
        )
    if not solids:
        why = "; ".join(f"{quoted(name)}: {reason}" for name, reason in unseen.items())
        raise ConfigError(
            "robot_description has no shape of a moving link that can be drawn"
            + (f": {why}" if why else "")
        )
    return OwnLinks(solids=solids, unseen=unseen)


def root_of(robot: Robot) -> str:
    """The root link. Raises `ConfigError` where there is none, or several."""
    parents = {joint.parent for joint in robot.joints.values()}
    roots = sorted(parents - set(robot.joints))
    if len(roots) != 1:
        raise ConfigError(
            f"robot_description has {len(roots)} roots with joints below them "
            f"({quoted(', '.join(roots))}); expected one: name one as self_filter.base_link"
        )
    return roots[0]


def joints_above(robot: Robot, link: str) -> list[Joint]:
    """From the joint that holds `link` to the root; ends where joints form a loop."""
    found: list[Joint] = []
    while link in robot.joints and len(found) < len(robot.joints):
        found.append(robot.joints[link])
        link = found[-1].parent
    return found


def _moved(robot: Robot) -> set[str]:
    """Links below a joint that moves, and the parents of the first of such joints."""
    moved: set[str] = set()
    for name in robot.joints:
        above = joints_above(robot, name)
        moving = [row for row, joint in enumerate(above) if joint.kind != "fixed"]
        if moving:
            moved.update(joint.child for joint in above[: moving[-1] + 1])
            moved.add(above[moving[-1]].parent)
    return moved


def _solids(link: Link, padding_m: float, read: MeshReader) -> tuple[Solid, ...]:
    """From the visual shapes, or the collision shapes where a visual one cannot be read."""
    first_error: ValueError | None = None
    for shapes in (link.visual, link.collision):
        try:
            found = [solid_of(shape, padding_m=padding_m, read_mesh=read) for shape in shapes]
        except ValueError as error:
            first_error = first_error or error
        else:
            if found:
                return tuple(found)
    if first_error is not None:
        raise first_error
    return ()
