"""The expert as a policy: knows where everything is, answers in normalised actions."""

import numpy as np

from robot_vision.core.action_spec import ActionSpec, ActionStatistics
from robot_vision.core.types import Decision, Instruction, Observation
from robot_vision.rollouts.labels import steps_between
from robot_vision.simulation.robot.episode import STEP_S, STEPS
from robot_vision.simulation.robot.expert import plan
from robot_vision.simulation.robot.task import Task
from robot_vision.simulation.robot.world import RobotWorld

SCALE = (0.02, 0.02, 0.02, 0.1, 0.1, 0.1, 0.5)
MEAN = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.5)


class ExpertPolicy:
    """An upper bound of what can be learnt, under the latency and the limits of the service."""

    provider = "cpu"

    def __init__(self, world: RobotWorld, task: Task) -> None:
        self._world, self._task = world, task
        self.spec = ActionSpec(
            model_id="expert@1",
            perception_model_id="any",
            step_s=STEP_S,
            horizon=STEPS,
            statistics=ActionStatistics(mean=MEAN, scale=SCALE),
        )

    def instruct(self, text: str) -> Instruction:
        return Instruction(text=text, tokens=np.ones(1, np.int64), encoding=np.zeros((1, 4), "f4"))

    def decide(self, observation: Observation, instruction: Instruction) -> Decision:
        del instruction
        poses, gripper = plan(self._world, self._task, steps=STEPS, step_s=STEP_S)
        action = steps_between(observation.robot.base_from_tool, poses, gripper)
        normalised = ((action - np.array(MEAN)) / np.array(SCALE)).astype(np.float32)
        return Decision(stamp_ns=observation.stamp_ns, action=normalised)

    def close(self) -> None:
        pass
