"""The policy's node is led by measured depth; without it the arm holds, and the reason says so."""

from dataclasses import replace

import numpy as np
import pytest
from policy_cases import observe

from robot_vision.core.types import ROUGH, Perception
from robot_vision.ros.policy.inputs.measured_depth import MeasuredDepth

SECOND_NS = 1_000_000_000


def seen(stamp_s: float, *, worth: float | None) -> Perception:
    """A perception at a stamp, its depth of one confidence; None: no depth at all."""
    perception = observe([], stamp_ns=round(stamp_s * SECOND_NS)).perception
    depth = perception.depth
    assert depth is not None
    confidence = np.full(depth.depth_m.shape, worth or 0, np.float32)
    depth = None if worth is None else replace(depth, confidence=confidence)
    return replace(perception, frame=replace(perception.frame, depth_m=None), depth=depth)


@pytest.mark.parametrize("worth", [None, ROUGH, 0.5])
def test_depth_that_nothing_measured_holds_at_once_where_none_was_measured_before(
    worth: float | None,
) -> None:
    problem = MeasuredDepth(0.5).problem(seen(1.0, worth=worth))
    assert problem is not None
    assert "no depth sensor measures anything" in problem
    assert "watchdog.depth_s" in problem


def test_a_short_loss_leaves_frames_out_and_a_long_one_holds() -> None:
    watch = MeasuredDepth(0.5)
    assert watch.problem(seen(1.0, worth=1)) is None
    assert watch.problem(seen(1.4, worth=ROUGH)) == ""
    assert watch.problem(seen(1.6, worth=ROUGH))
    assert watch.problem(seen(1.7, worth=1)) is None
    assert watch.problem(seen(0.2, worth=ROUGH))  # the clock went back


def test_zero_lets_depth_from_colour_alone_lead() -> None:
    assert MeasuredDepth(0.0).problem(seen(1.0, worth=None)) is None
