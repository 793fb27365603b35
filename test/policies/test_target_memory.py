"""What is pointed at over time: what the arm hides is kept, what was a mistake is not."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot_vision.core.clock import NS_PER_S
from robot_vision.policies.observing.target_memory import (
    FORGOTTEN_S,
    HIDDEN_M,
    SURE_S,
    PointingMemory,
)
from robot_vision.policies.observing.tokens import (
    HAND,
    MAX_OBJECTS,
    NONE,
    OBJECT_SLICES,
    OBJECT_WIDTH,
    POINTABLE,
    ROBOT_SLICES,
    VISUAL_COLUMNS,
    VISUAL_ROWS,
    VISUAL_WIDTH,
    PolicyInputs,
    robot_width,
)

PERIOD_S = 0.1
FAR_M, NEAR_M = HIDDEN_M + 0.1, HIDDEN_M - 0.1


@dataclass(frozen=True, kw_only=True)
class Thing:
    """A track as the policy gets it."""

    track_id: int
    away_m: float = FAR_M
    unseen_s: float = 0.0


def tokens_of(*things: Thing, gripper_open: float = 1.0) -> PolicyInputs:
    objects = np.zeros((MAX_OBJECTS, OBJECT_WIDTH), np.float32)
    track_id = np.full(MAX_OBJECTS, -1, np.int64)
    for row, thing in enumerate(things):
        objects[row, OBJECT_SLICES["centre_from_tool"]] = thing.away_m, 0, -0.1
        objects[row, OBJECT_SLICES["age_and_unseen"]] = 1, thing.unseen_s
        track_id[row] = thing.track_id
    robot = np.zeros(robot_width(2), np.float32)
    robot[ROBOT_SLICES["gripper"]] = gripper_open
    return PolicyInputs(
        objects=objects,
        present=track_id >= 0,
        track_id=track_id,
        visual=np.zeros((VISUAL_ROWS * VISUAL_COLUMNS, VISUAL_WIDTH), np.float32),
        has_visual=True,
        robot=robot,
    )


class Watcher:
    """Feeds a memory with frames; shares that are not given are next to nothing."""

    def __init__(self) -> None:
        self.memory = PointingMemory()
        self.stamp_ns = NS_PER_S
        self.is_sure = False
        self.destination = NONE

    def see(
        self,
        inputs: PolicyInputs,
        target: dict[int, float],
        *,
        destination: dict[int, float] | None = None,
        after_s: float = PERIOD_S,
    ) -> int:
        """The place that the target's pointer ends at; `destination` is where the other does."""
        self.stamp_ns += round(after_s * NS_PER_S)
        logits = np.full((2, POINTABLE), -8.0, np.float32)
        for row, shares in enumerate((target, destination or {NONE: 1.0})):
            for place, share in shares.items():
                logits[row, place] = np.log(share)
        logits[:, :MAX_OBJECTS][:, ~inputs.present] = -1e4
        bias = self.memory.bias(inputs, self.stamp_ns)
        choice = (logits + bias).argmax(axis=1)
        self.is_sure = self.memory.note(inputs, logits, choice, self.stamp_ns)
        place, self.destination = choice.tolist()
        return place


@pytest.fixture
def watcher() -> Watcher:
    """It has found thing 7 in row 0, near the tool, with thing 8 elsewhere."""
    watcher = Watcher()
    for _ in range(10):
        seen = tokens_of(Thing(track_id=7, away_m=NEAR_M), Thing(track_id=8))
        assert watcher.see(seen, {0: 0.95, NONE: 0.05}) == 0
    return watcher


def test_what_the_gripper_covers_is_kept(watcher: Watcher) -> None:
    covered = tokens_of(Thing(track_id=7, away_m=NEAR_M), Thing(track_id=8))
    for _ in range(100):
        assert watcher.see(covered, {0: 0.01, NONE: 0.99}) == 0
        assert watcher.is_sure


def test_what_is_out_of_sight_is_kept_while_its_track_lives(watcher: Watcher) -> None:
    for unseen_s in (0.2, 0.5, 1.0, 2.0):
        away = tokens_of(Thing(track_id=7, unseen_s=unseen_s), Thing(track_id=8))
        assert watcher.see(away, {0: 0.01, NONE: 0.99}) == 0
    assert watcher.see(tokens_of(Thing(track_id=8)), {NONE: 0.99}) == NONE


def test_a_mistake_in_full_view_is_taken_back(watcher: Watcher) -> None:
    plain = tokens_of(Thing(track_id=7, away_m=FAR_M), Thing(track_id=8))
    choices = [watcher.see(plain, {0: 0.01, NONE: 0.99}) for _ in range(15)]
    assert choices[0] == 0
    assert choices[-1] == NONE
    assert not watcher.is_sure


def test_what_vanishes_between_the_fingers_is_in_the_hand(watcher: Watcher) -> None:
    held = tokens_of(Thing(track_id=8), gripper_open=0.7)
    for _ in range(50):
        assert watcher.see(held, {HAND: 0.02, NONE: 0.98}) == HAND
    opened = tokens_of(Thing(track_id=8), gripper_open=1.0)
    assert watcher.see(opened, {HAND: 0.02, NONE: 0.98}) == NONE


def test_the_destination_is_kept_while_the_target_cannot_be_seen() -> None:
    watcher = Watcher()
    for _ in range(5):
        both = tokens_of(Thing(track_id=7, away_m=NEAR_M), Thing(track_id=8))
        watcher.see(both, {0: 0.95, NONE: 0.05}, destination={1: 0.9, NONE: 0.1})
    held = tokens_of(Thing(track_id=8), gripper_open=0.7)
    for _ in range(50):
        watcher.see(held, {HAND: 0.02, NONE: 0.98}, destination={0: 0.02, NONE: 0.98})
        assert watcher.destination == 0
    watcher.see(tokens_of(gripper_open=0.7), {HAND: 0.9}, destination={HAND: 0.1, NONE: 0.9})
    assert watcher.destination == NONE  # what is lost from sight is not in the hand


@pytest.mark.parametrize("gripper_open", [1.0, 0.0])
def test_an_open_or_empty_hand_holds_nothing(watcher: Watcher, gripper_open: float) -> None:
    gone = tokens_of(Thing(track_id=8), gripper_open=gripper_open)
    assert watcher.see(gone, {HAND: 0.02, NONE: 0.98}) == NONE


def test_one_of_two_alike_is_chosen_and_kept() -> None:
    watcher, two = Watcher(), tokens_of(Thing(track_id=7), Thing(track_id=8))
    share = [0.7, 0.6, 0.8, 0.3, 0.7, 0.35, 0.7, 0.4, 0.65, 0.3]
    choices = [watcher.see(two, {0: s, 1: 1 - s}) for s in share]
    assert set(choices[2:]) == {0}


def test_a_better_one_takes_over() -> None:
    watcher = Watcher()
    for _ in range(5):
        watcher.see(tokens_of(Thing(track_id=7)), {0: 0.6, NONE: 0.4})
    both = tokens_of(Thing(track_id=8), Thing(track_id=7))
    choices = [watcher.see(both, {0: 0.98, 1: 0.01}) for _ in range(15)]
    assert choices[-1] == 0  # rows are not what is remembered: ids are


def test_nothing_is_acted_on_at_first_sight() -> None:
    watcher, one = Watcher(), tokens_of(Thing(track_id=7))
    assert watcher.see(one, {0: 0.99, NONE: 0.01}) == 0
    assert not watcher.is_sure
    watcher.see(one, {0: 0.99, NONE: 0.01}, after_s=SURE_S + 0.01)
    assert watcher.is_sure


@pytest.mark.parametrize("after_s", [FORGOTTEN_S + 0.1, -0.5])
def test_a_gap_or_a_clock_that_goes_back_forgets(watcher: Watcher, after_s: float) -> None:
    covered = tokens_of(Thing(track_id=7, away_m=NEAR_M))
    assert watcher.see(covered, {0: 0.01, NONE: 0.99}, after_s=after_s) == NONE


@given(order=st.permutations(range(4)), seed=st.integers(0, 10_000))
def test_the_order_of_tokens_says_nothing(order: list[int], seed: int) -> None:
    things = [Thing(track_id=10 + k, away_m=0.1 * k) for k in range(4)]
    one, other = Watcher(), Watcher()
    for *of_things, nothing in np.random.default_rng(seed).uniform(0.001, 1, (12, 5)):
        choice = one.see(tokens_of(*things), {**dict(enumerate(of_things)), NONE: nothing})
        moved = {order.index(k): share for k, share in enumerate(of_things)}
        shuffled = other.see(tokens_of(*(things[k] for k in order)), {**moved, NONE: nothing})
        assert shuffled == (order.index(choice) if choice < MAX_OBJECTS else choice)


def test_shares_of_any_size_are_finite(watcher: Watcher) -> None:
    inputs = tokens_of(Thing(track_id=7))
    logits = np.full((2, POINTABLE), -3e4, np.float32)
    logits[:, 0] = 3e4
    bias = watcher.memory.bias(inputs, watcher.stamp_ns)
    choice = (logits + bias).argmax(axis=1)
    watcher.memory.note(inputs, logits, choice, watcher.stamp_ns)
    later = watcher.memory.bias(replace(inputs), watcher.stamp_ns + NS_PER_S // 10)
    assert np.isfinite(later).all()
