"""A policy from pixels for tests, which finds the named colour in the newest picture."""

import numpy as np

from robot_vision.core.manifests.action_spec import ActionSpec, ActionStatistics
from robot_vision.core.manifests.observation_spec import CameraInput, ObservationSpec
from robot_vision.core.manifests.policy_manifest import PolicyManifest
from robot_vision.core.manifests.vocabulary import Vocabulary
from robot_vision.core.types import Decision, Instruction, Observation

STEP_M, HORIZON = 0.02, 8
SPEC = ActionSpec(
    model_id="stand-in@1",
    perception_model_id="",
    step_s=0.1,
    horizon=HORIZON,
    history=0,
    statistics=ActionStatistics(mean=(0.0,) * 7, scale=(1.0,) * 7),
)


def manifest_of(observation: ObservationSpec) -> PolicyManifest:
    return PolicyManifest(
        name="stand-in",
        architecture="none",
        action_spec=SPEC,
        observation=observation,
        vocabulary=Vocabulary(words=("go",), things=(), actions=()),
        class_names=(),
    )


class StandIn:
    """Goes straight to the mean of what is of the named colour, in `place_m(row, column)`."""

    provider = "cpu"
    spec = SPEC

    def __init__(self, observation: ObservationSpec, colors_rgb, place_m) -> None:
        self.manifest = manifest_of(observation)
        self._colors_rgb, self._place_m = colors_rgb, place_m
        self.seen: list[Observation] = []
        self.words: list[str] = []

    def instruct(self, text: str) -> Instruction:
        return Instruction(text=text, tokens=np.ones(1, np.int64), encoding=np.zeros((1, 4), "f4"))

    def decide(self, observation: Observation, instruction: Instruction) -> Decision:
        self.seen.append(observation)
        self.words.append(instruction.text)
        action = np.zeros((HORIZON, 7), np.float32)
        action[:, 6] = 1.0
        picture = observation.pictures["front"][-1].rgb
        here_m = observation.robot.base_from_tool[:2, 3].copy()
        for name, rgb in self._colors_rgb.items():
            rows, columns = np.nonzero((picture == rgb).all(axis=-1))
            if name not in instruction.text.split() or not len(rows):
                continue
            goal_m = self._place_m(rows.mean(), columns.mean())
            for k in range(HORIZON):
                step = goal_m - here_m
                step *= min(1.0, STEP_M / max(float(np.linalg.norm(step)), 1e-9))
                action[k, :2] = step
                here_m += step
        return Decision(stamp_ns=observation.stamp_ns, action=action)

    def close(self) -> None:
        pass


def shown(*cameras: str, depth: bool = False, steps: int = 1) -> ObservationSpec:
    return ObservationSpec(
        cameras=tuple(
            CameraInput(name=name, width_px=64, height_px=48, has_depth=depth) for name in cameras
        ),
        steps=steps,
    )
