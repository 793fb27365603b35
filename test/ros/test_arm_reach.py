"""Each worked arm, by its maker's URDF and our parameters, reaches every corner of its workspace.

Self-collision is judged by MuJoCo too, with the hulls of the makers' collision meshes.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from arm_packages import install, urdf_by_xacro
from test_arm_configs import policy_of, servo_of

from robot_vision.arm.kinematics import Kinematics
from robot_vision.core.files.foreign_xml import parse_xml
from robot_vision.core.parameters.robot_config import PolicyNodeConfig
from robot_vision.core.parameters.values import with_values
from robot_vision.core.types import RobotState
from robot_vision.policies.control.joint_motion import JointMotion, JointStep
from robot_vision.ros.policy.inputs.arm_description import arm_of

TOOL_DOWN = np.diag([1.0, -1.0, -1.0])
TOOL_Z_M = 0.16  # of the gripper on the UR5e
MOST_BEHIND_M = 0.002
# A minimum-jerk way's largest speed and acceleration, for one metre in one second.
_SPEED, _ACCELERATION = 1.875, 5.774
_STAY_S = 0.3


class Description(NamedTuple):
    packages: tuple[str, ...]
    file: str
    arguments: dict[str, str]
    folded: tuple[int, float]  # a joint, and where the arm meets itself (rad)


DESCRIPTIONS = {
    "ur5e": Description(
        ("ur_description",),
        "ur_description/urdf/ur.urdf.xacro",
        {"ur_type": "ur5e", "name": "ur5e"},
        (2, 3.1),
    ),
    "fr3": Description(
        ("franka_description",),
        "franka_description/robots/fr3/fr3.urdf.xacro",
        {"hand": "true"},
        (1, 1.78),
    ),
    "wx250s": Description(
        ("interbotix_xsarm_descriptions",),
        "interbotix_xsarm_descriptions/urdf/wx250s.urdf.xacro",
        {"use_world_frame": "true"},
        (2, 1.6),
    ),
    "so101": Description(
        ("so_arm101_description",),
        "so_arm101_description/urdf/so_arm101.urdf.xacro",
        {},
        (1, 1.7),
    ),
}


# SRDFs with the group that MoveIt Servo moves.
GROUPS = {
    "ur5e": (("ur_moveit_config",), "ur_moveit_config/srdf/ur.srdf.xacro"),
    "fr3": (("franka_description",), "franka_description/robots/fr3/fr3.srdf.xacro"),
}


class Arm(NamedTuple):
    config: PolicyNodeConfig
    urdf: str
    kinematics: Kinematics
    share: Path
    folded: tuple[int, float]


@pytest.fixture(scope="module", params=list(DESCRIPTIONS))
def arm(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arm]:
    description, prefix = DESCRIPTIONS[request.param], tmp_path_factory.mktemp("arm")
    install(prefix, *description.packages)
    urdf = urdf_by_xacro(prefix, description.file, **description.arguments)
    config = policy_of(request.param)
    if request.param == "ur5e":
        config = with_values(config, {"frames.tool_position_m": [0.0, 0.0, TOOL_Z_M]})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AMENT_PREFIX_PATH", str(prefix))
        yield Arm(config, urdf, arm_of(urdf, config), prefix / "share", description.folded)


def started(arm: Arm) -> tuple[JointMotion, np.ndarray]:
    motion = JointMotion(
        arm.kinematics, arm.config.joint_space, period_s=1 / arm.config.command_hz
    )
    state = RobotState(
        stamp_ns=1,
        joint_position_rad=np.array(arm.config.joint_space.rest),
        base_from_tool=np.eye(4),
        gripper_open=1.0,
        joint_names=motion.arm.joint_names,
    )
    assert motion.start_problem(state) == ""
    return motion, motion.start(state)


def corners(config: PolicyNodeConfig, start_m: np.ndarray) -> list[np.ndarray]:
    """The nearest place of the workspace, and all corners, one edge after the other."""
    low, high = np.array(config.safety.workspace_min_m), np.array(config.safety.workspace_max_m)
    round_about = ["000", "100", "110", "010", "011", "111", "101", "001"]
    edges = [np.where([c == "1" for c in corner], high, low) for corner in round_about]
    return [np.clip(start_m, low, high), *edges]


def reach(arm: Arm, motion: JointMotion, start: np.ndarray) -> Iterator[tuple[JointStep, float]]:
    """Each command on the way, and how far the tool is from where it is to be then (m)."""
    safety, period_s, at_m = arm.config.safety, 1 / arm.config.command_hz, start[:3, 3]
    for goal_m in corners(arm.config, at_m):
        way_m = goal_m - at_m
        length_m = float(np.linalg.norm(way_m))
        whole_s = max(
            _SPEED * length_m / safety.max_speed_mps,
            (_ACCELERATION * length_m / safety.max_acceleration_mps2) ** 0.5,
            period_s,
        )
        for tick in range(round((whole_s + _STAY_S) / period_s)):
            s = min(1.0, (tick + 1) * period_s / whole_s)
            target, twist = start.copy(), np.zeros(6)
            target[:3, 3] = at_m + s**3 * (10 - 15 * s + 6 * s**2) * way_m
            twist[:3] = 30 * s**2 * (1 - s) ** 2 / whole_s * way_m
            step = motion.advance(period_s, target, twist)
            assert motion.hold is None, f"{motion.hold} on the way to {goal_m}"
            behind_m = float(np.linalg.norm(step.base_from_tool[:3, 3] - target[:3, 3]))
            yield step, behind_m
        at_m = goal_m


def test_at_rest_the_policys_tool_points_down_as_in_training(arm: Arm) -> None:
    _, start = started(arm)
    np.testing.assert_allclose(start[:3, :3], TOOL_DOWN, atol=0.01)
    safety = arm.config.safety
    outside_m = np.clip(start[:3, 3], safety.workspace_min_m, safety.workspace_max_m)
    assert np.abs(outside_m - start[:3, 3]).max() < 0.06


@pytest.mark.parametrize("name", list(GROUPS))
def test_servo_moves_the_link_that_we_command(name: str, tmp_path: Path) -> None:
    """A pose is that of the group's tip: for another link the hand would be led elsewhere."""
    packages, file = GROUPS[name]
    install(tmp_path, *packages)
    srdf = parse_xml(urdf_by_xacro(tmp_path, file, name=name), what="SRDF")
    frames, group = policy_of(name).frame_map(), servo_of(name)["move_group_name"]
    chain = srdf.find(f"group[@name='{group}']/chain")
    assert chain is not None
    assert chain.get("base_link") == frames.base_frame
    assert chain.get("tip_link") == frames.tool_frame


def test_it_reaches_every_corner_within_all_limits(arm: Arm) -> None:
    motion, start = started(arm)
    limits, period_s = motion.limits, 1 / arm.config.command_hz
    before, worst_m = np.zeros(len(limits.velocity)), 0.0
    for step, behind_m in reach(arm, motion, start):
        position, velocity = step.command.position, step.command.velocity
        assert (position >= limits.lower - 1e-9).all()
        assert (position <= limits.upper + 1e-9).all()
        assert (np.abs(velocity) <= limits.velocity + 1e-9).all()
        assert (np.abs(velocity - before) <= limits.acceleration * period_s + 1e-9).all()
        before, worst_m = velocity, max(worst_m, behind_m)
    print(f"largest tracking error: {worst_m * 1e3:.3f} mm")  # shown by pytest -s
    assert worst_m < MOST_BEHIND_M


def test_no_part_of_the_arm_meets_another_on_the_way(arm: Arm) -> None:
    motion, start = started(arm)
    body = Body(arm)
    names, rest = motion.arm.joint_names, np.array(arm.config.joint_space.rest)
    usual = body.touching(dict(zip(names, rest, strict=True)))
    folded = rest.copy()
    folded[arm.folded[0]] = arm.folded[1]
    assert body.touching(dict(zip(names, folded, strict=True))) - usual  # it does see them meet
    for number, (step, _) in enumerate(reach(arm, motion, start)):
        if number % 10 == 0:
            joints = dict(zip(step.command.names, step.command.position, strict=True))
            assert body.touching(joints) <= usual


def test_self_collision_looks_at_the_makers_meshes(arm: Arm) -> None:
    """No link is left out, what is far is never said to be near, and folded links are seen."""
    motion, start = started(arm)
    collision, body = motion.self_collision, Body(arm)
    assert not [words for words in motion.warnings if "self-collision" in words]
    folded = np.array(arm.config.joint_space.rest)
    folded[arm.folded[0]] = arm.folded[1]
    assert collision.nearest(motion.arm.posture(folded))[0] < 0
    for number, (step, _) in enumerate(reach(arm, motion, start)):
        if number % 50 == 0:
            found_m, links = collision.nearest(motion.arm.posture(step.command.position))
            joints = dict(zip(step.command.names, step.command.position, strict=True))
            assert found_m <= body.apart_m(joints, links) + 1e-4


class Body:
    """The hulls of a URDF's collision meshes in MuJoCo."""

    def __init__(self, arm: Arm) -> None:
        self._mujoco: Any = pytest.importorskip("mujoco", reason="the extra sim brings mujoco")
        text = re.sub(r"<visual.*?</visual>", "", arm.urdf, flags=re.DOTALL)
        text = text.replace(
            "</robot>", '<mujoco><compiler balanceinertia="true" fusestatic="false"/></mujoco>'
            "</robot>", 1,
        )  # fmt: skip
        # MuJoCo looks for meshes by name alone.
        paths = [arm.share / name for name in re.findall(r"package://([^\"]+)", text)]
        files = {path.name: path.read_bytes() for path in paths}
        self._model = self._mujoco.MjModel.from_xml_string(text, files)
        self._data = self._mujoco.MjData(self._model)

    def touching(self, joints: dict[str, float]) -> set[tuple[str, str]]:
        """Names of links that meet at these joint positions."""
        for name, position in joints.items():
            self._data.joint(name).qpos[0] = position
        self._mujoco.mj_forward(self._model, self._data)
        bodies = [
            [self._model.body(int(self._model.geom_bodyid[g])).name for g in contact.geom]
            for contact in self._data.contact
        ]
        return {(min(pair), max(pair)) for pair in bodies}

    def apart_m(self, joints: dict[str, float], links: tuple[str, str]) -> float:
        """The distance of two links."""
        self.touching(joints)
        bodies = [self._model.body(int(body)).name for body in self._model.geom_bodyid]
        first, second = ([g for g, name in enumerate(bodies) if name == link] for link in links)
        distance = self._mujoco.mj_geomDistance
        return min(
            distance(self._model, self._data, a, b, 1.0, None) for a in first for b in second
        )
