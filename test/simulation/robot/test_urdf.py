"""The simulated arm's URDF: the kinematics that the policy node reads agree with the physics."""

import numpy as np
import pytest

from robot_vision.arm.kinematics import read_chain
from robot_vision.arm.urdf import read_urdf
from robot_vision.policies.guards.arm_change import distance
from robot_vision.self_filter.self_filter import SelfFilter
from robot_vision.simulation.picture.gl import mujoco
from robot_vision.simulation.robot.arms.arm import GRIPPER, TOOL
from robot_vision.simulation.robot.arms.arms import ARMS
from robot_vision.simulation.robot.arms.urdf import urdf_of
from robot_vision.simulation.robot.build import build_world
from robot_vision.simulation.robot.world import ROBOT


@pytest.mark.parametrize("name", sorted(ARMS))
def test_joints_lead_to_the_tool_as_in_the_physics(name: str) -> None:
    generator, arm = np.random.default_rng(0), ARMS[name]
    with build_world(generator, split="train", arm=arm) as world:
        model, data = world.model, mujoco.MjData(world.model)
        text = urdf_of(model, arm, base="base", tool="tool")
        kinematics = read_chain(text, base_link="base", tool_link="tool")
        rows = [int(model.jnt_qposadr[model.joint(name).id]) for name in arm.joint_names]
        for _ in range(20):
            joints_rad = generator.uniform(arm.lowest_rad, arm.highest_rad)
            data.qpos[rows] = joints_rad
            mujoco.mj_kinematics(model, data)
            truth = np.eye(4)
            truth[:3, :3] = data.site(TOOL).xmat.reshape(3, 3)
            truth[:3, 3] = data.site(TOOL).xpos
            pose = kinematics.base_from_tool(dict(zip(arm.joint_names, joints_rad, strict=True)))
            assert pose is not None
            away_m, away_rad = distance(truth, pose)
            assert away_m < 1e-9
            assert away_rad < 1e-6


@pytest.mark.parametrize("name", sorted(ARMS))
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_links_are_where_the_picture_shows_the_arm(seed: int, name: str) -> None:
    """Drawn by the self-filter, from description and joints alone."""
    with build_world(np.random.default_rng(seed), split="test", arm=ARMS[name]) as world:
        text = urdf_of(world.model, world.arm, base="base", tool="tool")
        robot = SelfFilter(read_urdf(text), padding_m=0.0)
        world.command(world.base_from_tool, 0.4)
        world.step(0.5)
        state, frame = world.state(0), world.frame(0)
        joints = dict(zip(world.arm.joint_names, state.joint_position_rad.tolist(), strict=True))
        assert frame.camera is not None
        view = robot.view(
            frame.camera,
            base_from_camera=world.base_from_camera,
            joints=joints | {GRIPPER: state.gripper_open},
        )
        shown = world.shown() == ROBOT
        assert (view.mask & shown).sum() / (view.mask | shown).sum() > 0.95
        assert frame.depth_m is not None
        robot_m = np.kron(view.depth_m, np.ones((4, 4), np.float32))
        below_m = (frame.depth_m - robot_m)[shown & np.isfinite(frame.depth_m)]
        assert abs(float(np.median(below_m))) < 0.01
