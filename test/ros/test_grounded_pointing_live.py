"""What words name in perception reaches the policy: in one process, and by topics."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from grounding_bundle import grounding_bundle, picture
from policy_rig import (
    PATIENT,
    Surroundings,
    policy_node,
    ros_arguments,
    served,
    surroundings,
)
from rclpy.context import Context
from seeker import Seeker

from robot_vision.core.types import Decision, Instruction, Observation, Pointed
from robot_vision.ros.perception.node import PerceptionNode

pytestmark = pytest.mark.ros

# The cell of 16 px lies in the box of the tiny model's cube and fills a third of it.
RED_CUBE, NOTHING = picture({(1, 1): (230, 0, 0)}), picture({})
POINTING = {"pointing__min_overlap": 0.3, **PATIENT}


@dataclass
class PointingSeeker(Seeker):
    """One that points at tracks, and remembers what it was given."""

    points_at_tracks: bool = True
    pointed: list[Pointed | None] = field(default_factory=list)

    def decide(self, observation: Observation, instruction: Instruction) -> Decision:
        self.pointed.append(observation.pointed)
        return super().decide(observation, instruction)

    def named(self) -> tuple[tuple[int, ...], str]:
        """The tracks of the target in the last frame, and why there are none."""
        if not self.pointed or self.pointed[-1] is None:
            return (), "nothing"
        first = self.pointed[-1].named[0]
        return first.track_ids, first.problem


def look(around: Surroundings, rgb: np.ndarray, seeker: PointingSeeker, problem: str) -> None:
    """Show a picture, with a camera's noise, until the policy has heard of it."""
    random = np.random.default_rng(0)

    def heard() -> bool:
        noise = random.integers(0, 8, rgb.shape, np.uint8)
        around.camera.send(data=(rgb + noise).tobytes())
        tracks, why = seeker.named()
        return problem in why if problem else bool(tracks)

    around.wait_for(heard)


@pytest.mark.parametrize("by_topics", [False, True])
def test_the_policy_is_given_what_words_name(
    native_bundle: Path, tmp_path: Path, by_topics: bool
) -> None:
    words, seeker = grounding_bundle(tmp_path / "words"), PointingSeeker()
    seen_by = {"model": native_bundle, "grounding_model": words, "prompt": "red"}

    def nodes(context: Context) -> list[Any]:
        seeing = PerceptionNode(context=context, cli_args=ros_arguments(seen_by))
        given = {"pointing__grounded": "prefer", **POINTING}
        return [seeing, policy_node(context, None if by_topics else seeing, seeker, **given)]

    with surroundings() as around, served(nodes):
        around.frames = False
        around.wait_for(lambda: around.spec)
        around.instruct("to the red cube")
        look(around, RED_CUBE, seeker, "")
        look(around, NOTHING, seeker, "'red' was seen")
        around.instruct("to the cup")
        look(around, RED_CUBE, seeker, "the instruction 'to the cup' does not name 'red'")


def test_a_policy_that_points_at_no_tracks_refuses_to_start() -> None:
    def nodes(context: Context) -> list[Any]:
        return [policy_node(context, None, pointing__grounded="require")]

    with surroundings() as around, served(nodes) as (policy,):
        around.wait_for(lambda: policy.problem)
        assert "seeker@1 points at no tracks" in policy.problem
