"""Arms of our own as URDF: five joints like a hobby arm's, six like a cobot's, seven."""

from pathlib import Path

from robot_vision.arm.kinematics import Kinematics, read_chain

# Per joint: origin xyz, rpy, lower, upper, velocity; all turn about z.
_QUARTER = 1.5708
_SIX = [
    ((0, 0, 0.16), (0, 0, 0), -6.28, 6.28, 3.14),
    ((0, 0, 0), (_QUARTER, 0, 0), -6.28, 6.28, 3.14),
    ((-0.42, 0, 0), (0, 0, 0), -3.14, 3.14, 3.14),
    ((-0.39, 0, 0.13), (0, 0, 0), -6.28, 6.28, 3.14),
    ((0, -0.1, 0), (_QUARTER, 0, 0), -6.28, 6.28, 3.14),
    ((0, 0.1, 0), (-_QUARTER, 0, 0), -6.28, 6.28, 3.14),
]
_SEVEN = [
    ((0, 0, 0.33), (0, 0, 0), -2.9, 2.9, 2.2),
    ((0, 0, 0), (-_QUARTER, 0, 0), -1.75, 1.75, 2.2),
    ((0, -0.32, 0), (_QUARTER, 0, 0), -2.9, 2.9, 2.2),
    ((0.08, 0, 0), (_QUARTER, 0, 0), -3.05, -0.07, 2.2),
    ((-0.08, 0.38, 0), (-_QUARTER, 0, 0), -2.9, 2.9, 2.6),
    ((0, 0, 0), (_QUARTER, 0, 0), 0.0, 3.7, 2.6),
    ((0.09, 0, 0), (_QUARTER, 0, 0), -2.9, 2.9, 2.6),
]
_FIVE = [
    ((0, 0, 0.1), (0, 0, 0), -1.9, 1.9, 3.0),
    ((0, 0, 0), (_QUARTER, 0, 0), -1.8, 1.8, 3.0),
    ((0.2, 0, 0), (0, 0, 0), -2.8, 2.8, 3.0),
    ((0.2, 0, 0), (0, 0, 0), -2.8, 2.8, 3.0),
    ((0.06, 0, 0), (0, _QUARTER, 0), -2.7, 2.7, 3.0),
]
_ARMS = {"five": _FIVE, "six": _SIX, "seven": _SEVEN}
# The hand points down.
FIVE_HOME = (0.0, 1.2, -1.5, -1.2708, 0.0)
SIX_HOME = (0.0, -1.6, 1.8, -1.8, -1.57, 0.0)
SEVEN_HOME = (0.0, -0.4, 0.0, -2.2, 0.0, 1.8, 0.8)
HOMES = {"five": FIVE_HOME, "six": SIX_HOME, "seven": SEVEN_HOME}


def urdf_of(arm: str) -> str:
    """The description of an arm, every link a sphere about its joint and a rod."""
    joints = _ARMS[arm]
    parts = [_link("base", (0, 0, 0.1))]
    for k, (place, rpy, low, high, speed) in enumerate(joints):
        parent = "base" if k == 0 else f"link{k}"
        following = joints[k + 1][0] if k + 1 < len(joints) else (0, 0, 0.1)
        parts.append(
            f'<joint name="j{k + 1}" type="revolute"><parent link="{parent}"/>'
            f'<child link="link{k + 1}"/>{_origin(place, rpy)}<axis xyz="0 0 1"/>'
            f'<limit lower="{low}" upper="{high}" velocity="{speed}" effort="100"/></joint>'
        )
        parts.append(_link(f"link{k + 1}", following))
    last = f"link{len(joints)}"
    parts.append(
        f'<joint name="flange" type="fixed"><parent link="{last}"/><child link="tool"/>'
        f'{_origin((0, 0, 0.1), (0, 0, 0))}</joint><link name="tool"/>'
    )
    return f'<robot name="{arm}">{"".join(parts)}</robot>'


def arm_of(arm: str) -> Kinematics:
    return read_chain(urdf_of(arm), base_link="base", tool_link="tool")


def write(folder: Path, arm: str) -> Path:
    path = folder / f"{arm}.urdf"
    path.write_text(urdf_of(arm))
    return path


def _link(name: str, to: tuple[float, float, float]) -> str:
    """A ball half way to the next joint."""
    middle = tuple(value / 2 for value in to)
    return (
        f'<link name="{name}"><collision>{_origin(middle, (0, 0, 0))}'
        f'<geometry><sphere radius="0.05"/></geometry></collision></link>'
    )


def _origin(place: tuple[float, ...], rpy: tuple[float, ...]) -> str:
    return f'<origin xyz="{" ".join(map(str, place))}" rpy="{" ".join(map(str, rpy))}"/>'
