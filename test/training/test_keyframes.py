"""Keyframes: where the gripper next changes, within its own episode."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from pixel_demonstrations import demonstrations

from robot_vision.core.errors import ConfigError
from robot_vision.models.fusion.fusion import Pointed
from robot_vision.training.data.demonstrations.keyframes import (
    KeyframeHead,
    keyframe_rows,
    pointing_error,
    ways_to_keyframes,
)
from robot_vision.training.demonstrations.demonstrations import Demonstrations

MEASURED = torch.ones(2, 3, dtype=torch.bool)


def grasps(gripper: str) -> Demonstrations:
    """Two episodes whose gripper is open (`o`) or closed (`c`); the tool moves 0.1 m a row."""
    source = demonstrations(2, seed=0)
    rows = len(source.action)
    is_open = np.array([letter == "o" for letter in gripper.ljust(rows, gripper[-1])])
    action, tools = source.action.copy(), np.tile(np.eye(4), (rows, 1, 1))
    action[:, 0, -1] = is_open[:rows]
    tools[:, 0, 3] = 0.1 * np.arange(rows)
    return replace(source, action=action, base_from_tool=tools)


def test_the_next_change_or_the_end_of_the_episode() -> None:
    source = grasps("oocco")
    first_length = int(source.length[0])
    found = keyframe_rows(source)
    assert found[:4].tolist() == [2, 2, 4, 4]
    assert set(found[4:first_length]) == {first_length - 1}
    assert set(found[first_length:]) == {len(found) - 1}
    ways_m = ways_to_keyframes(source)
    np.testing.assert_allclose(ways_m[:4, 0], [0.2, 0.1, 0.2, 0.1], atol=1e-6)
    assert not ways_m[:, 1:].any()


def test_without_a_grasp_where_the_tool_comes_down_and_leaves() -> None:
    source = grasps("o")
    tools, first_length = np.tile(np.eye(4), (len(source.action), 1, 1)), int(source.length[0])
    tools[:, 2, 3] = 0.3
    tools[2:5, 2, 3] = (0.051, 0.05, 0.055)
    found = keyframe_rows(replace(source, base_from_tool=tools))
    assert found[:6].tolist() == [2, 2, 4, 4, *[first_length - 1] * 2]
    assert (found[first_length:] >= np.arange(first_length, len(found))).all()


def test_what_somebody_else_reached_is_not_a_keyframe() -> None:
    """The first episode was led by a policy: only its change of the gripper teaches anything."""
    source = grasps("oocc")
    first_length = int(source.length[0])
    corrected = np.arange(len(source.action)) < first_length
    ways_m = ways_to_keyframes(replace(source, is_corrected=corrected))
    known = np.isfinite(ways_m).all(axis=1)
    assert known[:first_length].tolist() == [True, True, *[False] * (first_length - 2)]
    assert known[first_length:].all()
    head, summary = KeyframeHead(8), torch.randn(2, 8)
    way_m = torch.stack([torch.full((3,), torch.nan), head(summary)[1].detach()])
    error = head.error(summary, way_m, torch.tensor([True, True]))
    assert error.item() == pytest.approx(0, abs=1e-5)
    pointed = Pointed(
        logits=torch.zeros(2, 3), from_tool_m=way_m[1].expand(2, 3, 3), is_measured=MEASURED
    )
    found = pointing_error(pointed, way_m, torch.tensor([True, True]))
    assert found.item() == pytest.approx(np.log(3), abs=1e-4)


def test_sets_without_the_tool_have_none() -> None:
    with pytest.raises(ConfigError, match=r"keyframe_weight.*tool's\s+pose"):
        ways_to_keyframes(replace(grasps("o"), base_from_tool=None))


def test_only_rows_that_are_valid_count() -> None:
    torch.manual_seed(0)
    head, summary = KeyframeHead(8), torch.randn(2, 8)
    way_m = torch.stack([head(summary)[0].detach(), torch.full((3,), 9.0)])
    found = [
        head.error(summary, way_m, torch.tensor([valid, False])).item() for valid in (True, False)
    ]
    assert found == pytest.approx([0, 0], abs=1e-5)
