"""The simulated arm's URDF: the kinematics that the policy node reads agree with the physics."""

import numpy as np
import pytest

from robot_vision.arm.kinematics import read_chain
from robot_vision.policies.arm_gate import distance
from robot_vision.simulation.gl import mujoco
from robot_vision.simulation.robot.arm import TOOL
from robot_vision.simulation.robot.arms import ARMS
from robot_vision.simulation.robot.urdf import urdf_of
from robot_vision.simulation.robot.world import build_world


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
