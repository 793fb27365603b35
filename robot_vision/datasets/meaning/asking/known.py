"""What a dataset states about its own numbers, as a draft of a meaning."""

from collections.abc import Sequence
from typing import Any

from robot_vision.datasets.episode_set import EpisodeSet

Draft = dict[str, Any]

# Names that sets use for a position, and for each rotation; any may follow a dot.
_POSITIONS = (("x", "y", "z"), ("dx", "dy", "dz"), ("pos_x", "pos_y", "pos_z"))
_ROTATIONS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("rpy", ("roll", "pitch", "yaw")),
    ("rpy", ("droll", "dpitch", "dyaw")),
    ("rotation_vector", ("rx", "ry", "rz")),
    ("rotation_vector", ("axis_angle1", "axis_angle2", "axis_angle3")),
    ("quaternion_xyzw", ("qx", "qy", "qz", "qw")),
    ("quaternion_wxyz", ("qw", "qx", "qy", "qz")),
    ("two_axes", ("xx", "xy", "xz", "yx", "yy", "yz")),
)


def known_draft(episodes: EpisodeSet) -> Draft:
    """Everything known without asking: the rate, and columns with descriptive names.

    A dataset of ours is completely known.
    """
    if episodes.said_meaning is not None:
        return dict(episodes.said_meaning)
    draft: Draft = {"rate_hz": episodes.fps} if episodes.says_rate else {}
    first = next((number for number, length in enumerate(episodes.lengths) if length), 0)
    actions, state = episodes.actions(first), episodes.state(first)
    if actions is not None:
        draft["action"] = _named(actions.names)
        if "tool" in draft["action"]:
            draft["action"].pop("joints", None)
    draft["state"] = _named(state.names) if state is not None else "none"
    return draft


def _named(names: Sequence[str]) -> Draft:
    """Columns by name; joints if none is a position of the tool."""
    found: Draft = {}
    position = _columns(names, _POSITIONS)
    rotation, turned = _rotation(names)
    gripper = [name for name in names if "gripper" in name.lower()]
    if position:
        found["tool"] = {"position": position}
        if turned:
            found["tool"] |= {"rotation_columns": turned} | rotation
    joints = [name for name in names if _is_joint(name) and name not in gripper]
    if joints:
        found["joints"] = {"columns": joints, "names": [_plain(name) for name in joints]}
    if len(gripper) == 1:
        found["gripper"] = {"column": gripper[0]}
    return found


def _rotation(names: Sequence[str]) -> tuple[Draft, list[str]]:
    for rotation, parts in _ROTATIONS:
        turned = _columns(names, (parts,))
        if turned:  # rx, ry, rz are rotation vectors in some sets and angles in others
            return ({} if rotation == "rotation_vector" else {"rotation": rotation}), turned
    return {}, []


def _columns(names: Sequence[str], sought: Sequence[Sequence[str]]) -> list[str]:
    """The first of `sought` whose names each match exactly one column, spelt as in the set."""
    last = [name.rpartition(".")[2].lower() for name in names]
    for parts in sought:
        if all(last.count(part) == 1 for part in parts):
            return [names[last.index(part)] for part in parts]
    return []


def _is_joint(name: str) -> bool:
    lower = name.lower()
    return lower.endswith(".pos") or "joint" in lower or "motor" in lower


def _plain(name: str) -> str:
    return name.removesuffix(".pos")
