"""Errors of actions beside trivial answers, where chunks lead, and when the gripper moves."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot_vision.core.manifests.action_spec import ActionStatistics
from robot_vision.training.metrics.action_error import (
    ErrorScale,
    action_figures,
    reached_errors,
    step_errors,
)
from robot_vision.training.metrics.decisions import Decisions, joined, trivial_answers
from robot_vision.training.metrics.gripper_timing import gripper_timing

SCALE = ErrorScale(
    statistics=ActionStatistics(mean=(0,) * 7, scale=(0.01,) * 3 + (0.1,) * 3 + (0.5,)),
    is_tool=True,
)


def decisions(taught: np.ndarray, predicted: np.ndarray | None = None) -> Decisions:
    """An episode at 10 Hz; the gripper is as it was taught the step before."""
    taught = np.asarray(taught, np.float32)
    last = np.concatenate([taught[:1, 0], taught[:-1, 0]])
    hold = np.zeros_like(last)
    hold[:, -1] = last[:, -1]
    return Decisions(
        predicted=np.asarray(taught if predicted is None else predicted, np.float32),
        taught=taught,
        valid=np.ones(taught.shape[:2], bool),
        last_action=last,
        hold=hold,
        mean=np.tile(taught.reshape(-1, 7).mean(axis=0), (len(taught), 1)),
        episode=np.zeros(len(taught), np.int64),
        stamp_s=np.arange(len(taught)) / 10,
        row=np.arange(len(taught)),
    )


def moving(count: int = 30, steps: int = 4) -> np.ndarray:
    """Chunks of a tool that goes and turns, and closes its gripper in the middle."""
    rng = np.random.default_rng(3)
    rows = rng.normal(0, [0.01] * 3 + [0.1] * 3 + [0], (count + steps, 7))
    rows[:, 6] = np.arange(count + steps) < count // 2
    return np.stack([rows[k : k + steps] for k in range(count)])


def test_what_was_taught_has_skill_one_and_no_error() -> None:
    figures = action_figures(decisions(moving()), SCALE)
    assert figures["skill"] == 1
    assert figures["error"] == figures["end_m"] == figures["end_rad"] == 0
    assert figures["gripper_accuracy"] == 1
    assert figures["gripper_timing_s"] == 0
    assert figures["error_repeat"] > 0


@pytest.mark.parametrize("name", ["repeat", "mean", "hold"])
def test_the_best_trivial_answer_has_skill_zero(name: str) -> None:
    judged = decisions(moving())
    answers = trivial_answers(judged)
    figures = action_figures(answers[name], SCALE)
    best = min(figures[f"error_{other}"] for other in answers)
    assert figures["error"] == pytest.approx(figures[f"error_{name}"])
    assert figures["skill"] == pytest.approx(1 - figures["error"] / best)
    assert figures["skill"] <= 1e-9


def test_steps_beyond_the_end_count_for_nothing() -> None:
    taught = moving()
    predicted = taught.copy()
    predicted[-1, 2:] += 100
    judged = decisions(taught, predicted)
    judged.valid[-1, 2:] = False
    assert action_figures(judged, SCALE)["error"] == 0
    never = decisions(taught, predicted)
    never.valid[:, 3] = False
    assert np.isnan(step_errors(never)[3]).all()
    assert np.isfinite(step_errors(never)[:3]).all()


@given(
    offset=st.floats(-0.05, 0.05),
    angle=st.floats(-0.2, 0.2),
)
def test_errors_of_steps_add_up_to_where_a_chunk_ends(offset: float, angle: float) -> None:
    taught = np.zeros((2, 5, 7))
    predicted = taught.copy()
    predicted[..., 0], predicted[..., 5] = offset, angle
    reached = reached_errors(decisions(taught, predicted))
    steps = np.arange(1, 6)
    assert reached[:, 0] == pytest.approx(steps * abs(np.float32(offset)), abs=1e-6)
    assert reached[:, 1] == pytest.approx(steps * abs(np.float32(angle)), abs=1e-5)


def test_chunks_of_joints_have_errors_and_no_tool() -> None:
    scale = ErrorScale(statistics=SCALE.statistics, is_tool=False)
    figures = action_figures(decisions(moving()), scale)
    assert figures["joints"] == 0
    assert "end_m" not in figures


@given(late=st.integers(-9, 9))
def test_a_change_of_the_gripper_is_found_as_late_as_it_comes(late: int) -> None:
    stamp_s = np.arange(40) / 10
    taught = (np.arange(40) >= 20).astype(float)
    predicted = (np.arange(40) >= 20 + late).astype(float)
    timing = gripper_timing(predicted, taught, stamp_s)
    assert (timing.taught, timing.added) == (1, 0)
    assert timing.late_s == pytest.approx((late / 10,))


def test_a_change_that_is_missed_or_added_is_said_so() -> None:
    stamp_s, closed = np.arange(40) / 10, np.zeros(40)
    opens = (np.arange(40) >= 20).astype(float)
    missed = gripper_timing(closed, opens, stamp_s)
    assert (missed.taught, missed.late_s, missed.added) == (1, (), 0)
    added = gripper_timing(opens, closed, stamp_s)
    assert (added.taught, added.late_s, added.added) == (0, (), 1)
    flicker = opens + 0.08 * (-1) ** np.arange(40)
    assert gripper_timing(flicker, opens, stamp_s).added == 0
    half = np.full(40, 0.5)
    assert gripper_timing(half, opens, stamp_s).added == 0


def test_episodes_are_timed_one_by_one() -> None:
    first, second = decisions(moving()), decisions(moving())
    both = joined([first, Decisions(**(second.__dict__ | {"episode": second.episode + 1}))])
    assert action_figures(both, SCALE)["gripper_changes"] == 2
