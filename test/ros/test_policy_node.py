"""The policy node over real DDS: what it is told, what it tells the arm, and when it does not."""

from pathlib import Path

import numpy as np
import pytest
from policy_rig import CUBE_M, START_M, policy_rig
from seeker import HEIGHT_ABOVE_M

pytestmark = pytest.mark.ros


def test_it_moves_only_when_enabled_and_goes_where_the_words_say(native_bundle: Path) -> None:
    with policy_rig(native_bundle) as around:
        around.instruct("to the cube")
        status = around.wait_for_status(enabled=False, instruction="to the cube")
        assert "disabled" in status["reasons"][0]
        assert around.arm.told == []
        assert around.enable().success
        around.wait_until_moving()
        over_m = np.array(CUBE_M) + np.array([0, 0, HEIGHT_ABOVE_M])
        around.wait_for(lambda: np.abs(around.arm.position_m - over_m).max() < 0.01)
        assert around.enable(False).success
        sent = len(around.arm.told)
        status = around.wait_for_status(enabled=False)
        assert len(around.arm.told) <= sent + 2
    stamps_ns = around.stamps_ns()
    assert np.all(np.diff(stamps_ns) > 0)
    first = around.arm.told[0][1]
    assert first.header.frame_id == "base"
    begin = [first.pose.position.x, first.pose.position.y, first.pose.position.z]
    np.testing.assert_allclose(begin, START_M, atol=0.01)
