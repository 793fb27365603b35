"""What shows the robot goes; what it touches, holds, or has behind it stays."""

import numpy as np
import pytest

from robot_vision.core.parameters.groups.self_filter_config import SelfFilterConfig
from robot_vision.core.types import Depth, Detections, RobotView
from robot_vision.self_filter.removal import (
    robot_share,
    shown_robot,
    without_robot,
    without_robot_depth,
)

CONFIG = SelfFilterConfig(padding_m=0.0)
ARM_M, ARM = 1.0, (slice(20, 80), slice(40, 80))


def view() -> RobotView:
    mask = np.zeros((120, 160), bool)
    mask[ARM] = True
    depth_m = np.where(mask[::4, ::4], np.float32(ARM_M), np.float32(np.inf))
    return RobotView(mask=mask, depth_m=depth_m)


def measured(depth_m: float, *, confidence: float = 1.0) -> Depth:
    values = np.full((120, 160), depth_m, np.float32)
    return Depth(
        stamp_ns=1,
        depth_m=values,
        confidence=np.full_like(values, confidence),
        source="sensor",
        valid_fraction=1.0,
    )


def detections(*boxes: tuple[float, ...], mask: np.ndarray | None = None) -> Detections:
    count = len(boxes)
    return Detections(
        stamp_ns=1,
        box_xyxy_px=np.array(boxes, np.float32).reshape(-1, 4),
        score=np.full(count, 0.5, np.float32),
        class_id=np.arange(count),
        mask=mask,
    )


def test_a_detection_on_the_arm_goes_and_one_beside_it_stays() -> None:
    shown = shown_robot(view(), measured(ARM_M), config=CONFIG)
    found = detections((45, 30, 70, 70), (70, 30, 110, 70), (100, 30, 140, 70))
    assert without_robot(found, shown, config=CONFIG).class_id.tolist() == [1, 2]
    assert robot_share(found, shown).tolist() == pytest.approx([1, 0.25, 0])


@pytest.mark.parametrize("depth_m", [0.9, 1.2])
def test_what_is_before_the_arm_or_seen_past_it_stays(depth_m: float) -> None:
    shown = shown_robot(view(), measured(depth_m), config=CONFIG)
    found = detections((45, 30, 70, 70))
    assert without_robot(found, shown, config=CONFIG) is found
    assert not shown.any()


@pytest.mark.parametrize("depth", [None, measured(0.5, confidence=0.5)], ids=["none", "filled"])
def test_without_measured_depth_the_outline_counts(depth: Depth | None) -> None:
    shown = shown_robot(view(), depth, config=CONFIG)
    assert (shown == view().mask).all()


def test_the_mask_of_a_detection_says_more_than_its_box() -> None:
    shown = shown_robot(view(), measured(ARM_M), config=CONFIG)
    held = np.zeros((1, 30, 40), bool)
    held[0, 10:18, 20:26] = True  # in the box of the hand, beside its fingers
    held[0, 10:18, 18:20] = True
    found = detections((40, 30, 104, 74), mask=held)
    assert float(robot_share(found, shown)[0]) == pytest.approx(0.25)
    empty = detections((45, 30, 70, 70), mask=np.zeros((1, 30, 40), bool))
    assert float(robot_share(empty, shown)[0]) == 1


def test_padding_does_not_make_what_is_before_the_arm_a_part_of_it() -> None:
    config = SelfFilterConfig(padding_m=0.02, tolerance_m=0.03)
    for depth_m, is_robot in ((0.98, False), (1.0, True), (1.04, True), (1.06, False)):
        assert shown_robot(view(), measured(depth_m), config=config).any() == is_robot


def test_depth_of_the_robot_lifts_nothing() -> None:
    shown = shown_robot(view(), measured(ARM_M), config=CONFIG)
    kept = without_robot_depth(measured(ARM_M), shown)
    assert np.isnan(kept.depth_m[ARM]).all()
    assert np.isfinite(kept.depth_m).sum() == 120 * 160 - 60 * 40


def test_depth_of_another_size_is_taken() -> None:
    half = measured(ARM_M)
    small = Depth(
        stamp_ns=1,
        depth_m=half.depth_m[::2, ::2],
        confidence=half.confidence[::2, ::2],
        source="sensor",
        valid_fraction=1.0,
    )
    shown = shown_robot(view(), small, config=CONFIG)
    assert (shown == view().mask).mean() > 0.99
    assert np.isnan(without_robot_depth(small, shown).depth_m).sum() == 30 * 20


def test_boxes_at_the_border_have_a_share() -> None:
    shown = np.ones((120, 160), bool)
    found = detections((-5, -5, 3, 3), (158, 118, 170, 130), (159.5, 0, 160, 0.4))
    assert robot_share(found, shown).tolist() == [1, 1, 1]
