"""What words name in perception, as a source of what the shipped policy points at."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from policy_cases import Brick, observe, robot_at

from robot_vision.core.parameters.groups.policy_config import PointingConfig
from robot_vision.core.types import (
    Decision,
    Grounded,
    Grounding,
    Observation,
    Perception,
    Phrase,
    Pointed,
    Prompt,
    TrackState,
    no_detections,
)
from robot_vision.policies.observing.grounded_pointing import pointed_by
from robot_vision.policies.onnx_policy import OnnxPolicy
from robot_vision.policies.registry import load_policy

# Two blocks that look the same to a policy that is asked for "the block": tracks 5 and 6.
LEFT, RIGHT = Brick(centre_m=(0.45, 0.15)), Brick(centre_m=(0.45, -0.15))
PREFER, REQUIRE = PointingConfig(grounded="prefer"), PointingConfig(grounded="require")
FRAME_S = 0.1


def grounding(
    perception: Perception,
    phrases: Mapping[str, Sequence[int]],
    *,
    problems: Mapping[str, str] | None = None,
    **fields: Any,
) -> Grounding:
    """Each phrase names the rows of the detector's tracks that stand beside it."""
    problems = problems or {}
    said = tuple(Phrase(text=text, problem=problems.get(text, "")) for text in phrases)
    prompt = Prompt(text=", ".join(phrases), phrases=said)
    pairs = [
        (prompt.sought.index(text), row)
        for text, rows in phrases.items()
        for row in rows
        if text in prompt.sought
    ]
    rows = np.array([row for _, row in pairs], np.int64)
    tracks, columns = perception.tracks, {}
    for name, value in vars(tracks).items():
        columns[name] = value[rows] if isinstance(value, np.ndarray) else value
    columns["class_id"] = np.array([number for number, _ in pairs], np.int64)
    columns["track_id"] = rows + 100
    tracks = replace(tracks, **{**columns, **fields})
    detections = no_detections(perception.stamp_ns)
    found = Grounded(prompt=prompt, detections=detections, model_id="words@1")
    return Grounding(found=found, lifted=None, tracks=tracks)


def seen(*bricks: Brick, **values: Any) -> Perception:
    return observe(list(bricks), **values).perception


def target_of(perception: Perception, words: str, config: PointingConfig = PREFER) -> Pointed:
    found = pointed_by(perception, words, config)
    assert found is not None
    return found


def test_the_tracks_where_a_phrase_is_found_are_named_in_the_order_of_the_prompt() -> None:
    perception = seen(LEFT, RIGHT)
    asked = grounding(perception, {"the red block": [1], "a box": [0], "the mug": [0]})
    found = target_of(
        replace(perception, grounding=asked), "into the box put the block that is red"
    )
    assert [each.track_ids for each in found.named] == [(6,), (5,)]
    assert not found.is_required
    assert pointed_by(replace(perception, grounding=asked), "the box", PointingConfig()) is None


@pytest.mark.parametrize(
    ("phrases", "values", "problem"),
    [
        ({"the block": []}, {}, "'the block' is not found"),
        ({"the blue block": [1]}, {}, "does not name 'the blue block', as the prompt does"),
        ({}, {}, "perception's prompt is empty"),
        ({"the block": [1]}, {"problems": {"the block": "unknown words"}}, "is not looked for"),
        (
            {"the block": [1]},
            {"unseen_s": np.array([0.9], np.float32)},
            "'the block' was seen 0.9 s ago; expected 0.5 s at most",
        ),
        ({"the block": [1]}, {"stamp_ns": 10_000_000}, "was seen 1.0 s ago"),
        ({"the block": [1]}, {"state": np.array([TrackState.TENTATIVE])}, "is not found"),
        (
            {"the block": [1]},
            {"box_xyxy_px": np.array([[0, 0, 9, 9]], np.float32)},
            "'the block' is found where nothing is tracked",
        ),
    ],
)
def test_why_words_name_nothing(
    phrases: dict[str, list[int]], values: dict[str, Any], problem: str
) -> None:
    perception = seen(LEFT, RIGHT)
    asked = grounding(perception, phrases, **values)
    (named, *_) = target_of(replace(perception, grounding=asked), "pick up the block").named
    assert problem in named.problem
    assert not named.track_ids


def test_without_a_model_of_words_the_reason_is_named() -> None:
    (named,) = target_of(seen(LEFT), "pick up the block", REQUIRE).named
    assert "no grounding_model" in named.problem


class Led:
    """The shipped policy over frames of 0.1 s, with what words name in each."""

    def __init__(self, words: str, config: PointingConfig) -> None:
        policy = load_policy("policy-s", threads=1)
        assert isinstance(policy, OnnxPolicy)
        self.policy, self.config, self.words = policy, config, words
        self.instruction = policy.instruct(words)
        self.frames = 0

    def see(
        self,
        *bricks: Brick,
        phrases: Mapping[str, Sequence[int]] | None,
        times: int = 4,
        **at: Any,
    ) -> Decision:
        decision = None
        for _ in range(times):
            self.frames += 1
            stamp_ns = 1_000_000_000 + round(self.frames * FRAME_S * 1e9)
            shown = observe(list(bricks), stamp_ns=stamp_ns, **at)
            decision = self.policy.decide(self._with(shown, phrases), self.instruction)
        assert decision is not None
        return decision

    def _with(
        self, shown: Observation, phrases: Mapping[str, Sequence[int]] | None
    ) -> Observation:
        model_id = self.policy.spec.perception_model_id
        perception = replace(shown.perception, model_id=model_id)
        if phrases is not None:
            perception = replace(perception, grounding=grounding(perception, phrases))
        pointed = pointed_by(perception, self.words, self.config)
        return replace(shown, perception=perception, pointed=pointed)


@pytest.mark.parametrize("row", [0, 1])
@pytest.mark.parametrize("config", [PREFER, REQUIRE])
def test_the_policy_points_where_the_words_are_found(config: PointingConfig, row: int) -> None:
    led = Led("pick up the block", config)
    found = led.see(LEFT, RIGHT, phrases={"the block": [row]})
    assert found.target_track_id == 5 + row
    assert found.action is not None
    assert not found.masked
    other = led.see(LEFT, RIGHT, phrases={"the block": [1 - row]})
    assert other.target_track_id == 6 - row


def test_off_leaves_the_policy_as_it_was() -> None:
    alone, led = (Led("pick up the block", PointingConfig()) for _ in range(2))
    one = alone.see(LEFT, RIGHT, phrases=None)
    other = led.see(LEFT, RIGHT, phrases={"the block": [1]})
    np.testing.assert_array_equal(one.action, other.action)


def test_where_words_name_nothing_it_points_by_itself_or_holds_and_says_why() -> None:
    alone = Led("pick up the block", PointingConfig()).see(LEFT, RIGHT, phrases=None)
    prefers = Led("pick up the block", PREFER).see(LEFT, RIGHT, phrases={"the block": []})
    assert prefers.target_track_id == alone.target_track_id
    np.testing.assert_array_equal(prefers.action, alone.action)
    assert prefers.masked == ("grounded target: 'the block' is not found",)
    holds = Led("pick up the block", REQUIRE).see(LEFT, RIGHT, phrases={"the block": []})
    assert holds.action is None
    assert holds.hold_reason == "no grounded target: 'the block' is not found"


def test_what_was_named_is_still_meant_while_the_arm_hides_it() -> None:
    led = Led("pick up the block", REQUIRE)
    led.see(LEFT, RIGHT, phrases={"the block": [1]})
    above = robot_at((0.45, -0.15, 0.15))
    hidden = led.see(LEFT, RIGHT, phrases={"the block": []}, robot=above)
    assert (hidden.target_track_id, hidden.masked) == (6, ())
    assert hidden.action is not None
    away = led.see(LEFT, RIGHT, phrases={"the block": []}, times=1)
    assert away.action is None
    # What the arm hides and words never named is not gone for.
    never = Led("pick up the block", REQUIRE)
    assert never.see(LEFT, RIGHT, phrases={"the block": []}, robot=above).action is None
