"""The expert as a policy: it knows where everything is and answers in normalised actions.

It is the upper bound for learning, under the latency and the limits of the service.
"""

import numpy as np

from robot_vision.core.manifests.action_spec import ActionSpec, ActionStatistics
from robot_vision.core.types import Decision, Instruction, Observation
from robot_vision.rollouts.collecting.labels import steps_between
from robot_vision.simulation.robot.episode import STEP_S, STEPS
from robot_vision.simulation.robot.expert.plan import plan
from robot_vision.simulation.robot.work.task import Task
from robot_vision.simulation.robot.world import RobotWorld

EXPERT = "expert"  # instead of a bundle's name
_STATISTICS = ActionStatistics(
    mean=(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.5), scale=(0.02, 0.02, 0.02, 0.1, 0.1, 0.1, 0.5)
)


class ExpertPolicy:
    """Does a task regardless of the words; answers in the steps of `spec`, or else in its own."""

    provider = "cpu"

    def __init__(self, world: RobotWorld, task: Task, spec: ActionSpec | None = None) -> None:
        self._world, self._task = world, task
        self.spec = spec or ActionSpec(
            model_id=f"{EXPERT}@1",
            perception_model_id="",  # it looks at nothing
            step_s=STEP_S,
            horizon=STEPS,
            history=0,
            statistics=_STATISTICS,
        )

    def instruct(self, text: str) -> Instruction:
        return Instruction(text=text, tokens=np.ones(1, np.int64), encoding=np.zeros((1, 4), "f4"))

    def decide(self, observation: Observation, instruction: Instruction) -> Decision:
        del instruction
        if self._task.target.item < 0:
            reason = "the named object is not there"
            return Decision(stamp_ns=observation.stamp_ns, action=None, hold_reason=reason)
        spec = self.spec
        poses, gripper = plan(self._world, self._task, steps=spec.horizon, step_s=spec.step_s)
        action = steps_between(observation.robot.base_from_tool, poses, gripper)
        mean, scale = np.array(spec.statistics.mean), np.array(spec.statistics.scale)
        return Decision(
            stamp_ns=observation.stamp_ns, action=((action - mean) / scale).astype(np.float32)
        )

    def close(self) -> None:
        pass
