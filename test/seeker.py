"""A small policy for tests of what runs one: goes to the tracked object that the words name."""

from dataclasses import dataclass, field

import numpy as np

from robot_vision.core.cameras.geometry import transform_points
from robot_vision.core.manifests.action_spec import ActionSpec, ActionStatistics
from robot_vision.core.types import Decision, Instruction, Observation

STATISTICS = ActionStatistics(mean=(0.0,) * 7, scale=(0.01,) * 6 + (1.0,))
HEIGHT_ABOVE_M = 0.12
STEP_M = 0.01


@dataclass
class Seeker:
    """Moves over the middle of the object; `go mad` gives actions that are NaN."""

    perception_model_id: str = "tiny@1"
    names: tuple[str, ...] = ("cube", "cup")
    provider: str = "cpu"
    spec: ActionSpec = field(init=False)
    decided_ns: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.spec = ActionSpec(
            model_id="seeker@1",
            perception_model_id=self.perception_model_id,
            identity="5ee" + 61 * "0",
            statistics=STATISTICS,
        )

    def instruct(self, text: str) -> Instruction:
        known = {*self.names, "mad", "fail"} & set(text.split())
        return Instruction(
            text=text,
            tokens=np.zeros(1, np.int64),
            encoding=np.zeros((1, 4), np.float32),
            problem="" if known else f"no word of {text!r} is known",
        )

    def decide(self, observation: Observation, instruction: Instruction) -> Decision:
        self.decided_ns.append(observation.stamp_ns)
        words, stamp_ns = instruction.text.split(), observation.stamp_ns
        if "fail" in words:
            raise RuntimeError("this policy fails on request")
        if "mad" in words:
            return Decision(stamp_ns=stamp_ns, action=np.full((12, 7), np.nan, np.float32))
        tracks, names = observation.perception.tracks, observation.perception.class_names
        named = [row for row, c in enumerate(tracks.class_id.tolist()) if names[c] in words]
        if not named:
            return Decision(
                stamp_ns=stamp_ns, action=None, hold_reason=f"nothing in view is {words[-1]!r}"
            )
        at_m = transform_points(
            observation.base_from_camera, tracks.position_in_camera_m[named[:1]].astype(np.float64)
        )[0]
        away_m = at_m + np.array([0, 0, HEIGHT_ABOVE_M]) - observation.robot.base_from_tool[:3, 3]
        distance_m = float(np.linalg.norm(away_m))
        steps = np.clip(distance_m / STEP_M - np.arange(self.spec.horizon), 0, 1)
        action = np.zeros((self.spec.horizon, 7), np.float32)
        action[:, :3] = steps[:, None] * away_m / max(distance_m, 1e-6)
        action[:, 6] = 1.0
        return Decision(
            stamp_ns=stamp_ns,
            action=action,
            target_track_id=int(tracks.track_id[named[0]]),
            attention=np.full((3, 4), 1 / 12, np.float32),
        )

    def close(self) -> None:
        """Nothing is held."""
