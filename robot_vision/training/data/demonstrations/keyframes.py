"""Keyframes: where the tool will be when the gripper next changes.

Steps are short and clipped by the controller's limits: they say little about a motion's goal. The
next change of the gripper does, and every set of demonstrations with a gripper has it
(keyframe discovery of Q-attention, arXiv:2105.14829).
"""

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int64
from torch import Tensor, nn

from robot_vision.core.errors import ConfigError
from robot_vision.models.fusion.fusion import Pointed
from robot_vision.training.demonstrations.demonstrations import Demonstrations

_SCALE_M = 0.1
_NEAR_M, _ABOUT_M = 0.08, 0.025
_TOUCH_M, _FAR_M = 0.01, 9.0
_OPEN = 0.5


class KeyframeHead(nn.Module):
    """`forward(summary f32 [b,d])` → f32 [b,3], the vector from the tool to its keyframe, m.

    It is trained beside a policy, but is not part of it.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, 3))

    def forward(self, summary: Float32[Tensor, "b d"]) -> Float32[Tensor, "b 3"]:
        return _SCALE_M * self.layers(summary)

    def error(
        self,
        summary: Float[Tensor, "b d"],
        way_m: Float[Tensor, "b 3"],
        valid: Bool[Tensor, " b"],
    ) -> Float[Tensor, ""]:
        """Mean absolute error in decimetres, over those that are valid.

        NaN vectors are unknown and do not count.
        """
        valid = valid & way_m.isfinite().all(dim=1)
        off = (self(summary) - way_m.nan_to_num()).abs().mean(dim=1) / _SCALE_M
        return (off * valid).sum() / valid.sum().clamp(min=1)


def pointing_error(
    pointed: Pointed, way_m: Float[Tensor, "b 3"], valid: Bool[Tensor, " b"]
) -> Float[Tensor, ""]:
    """Cross-entropy of the cells pointed at with those about the keyframe, in nats.

    `way_m` is the way of the tool to its keyframe. Moments whose keyframe is far from all that is
    seen (a thing is lifted into the air) do not count.
    """
    off_m = (pointed.from_tool_m - way_m.unsqueeze(1)).norm(dim=2)
    off_m = torch.where(pointed.is_measured, off_m, torch.nan).nan_to_num(_FAR_M)
    valid = valid & (off_m.amin(dim=1) < _NEAR_M)
    meant = (-0.5 * (off_m / _ABOUT_M).square()).softmax(dim=1)
    each = -(meant * pointed.logits.log_softmax(dim=1)).sum(dim=1)
    return (each * valid).sum() / valid.sum().clamp(min=1)


def ways_to_keyframes(source: Demonstrations) -> Float[np.ndarray, "rows 3"]:
    """From the tool of each row to that of its keyframe, in the base frame, m.

    NaN if another agent led and the gripper never changed: where the tool ended is
    not where it should have been. Raises `ConfigError` if the sets do not give the tool's
    pose.
    """
    tools = source.base_from_tool
    if tools is None or not np.isfinite(tools).all():
        raise ConfigError(
            "options.keyframe_weight needs the tool's pose, which the sets do not have: expected "
            "state.tool in their meaning, or options.keyframe_weight=0"
        )
    position_m = tools[:, :3, 3]
    changes, touches = _next_changes(source), keyframe_rows(source)
    ways_m = (position_m[touches] - position_m).astype(np.float32)
    if source.is_corrected is not None:
        ways_m[source.is_corrected & (changes >= source.first_row + source.length)] = np.nan
    return ways_m


def keyframe_rows(source: Demonstrations) -> Int64[np.ndarray, " rows"]:
    """For each row, the next row of its episode whose gripper differs; else the episode's last.

    If an episode's gripper never changes, the tool touches objects on its way: the row where it
    comes down, then the one where it leaves.
    """
    changes, ends = _next_changes(source), source.first_row + source.length
    found = np.minimum(changes, ends - 1)
    if source.base_from_tool is None:
        return found
    height_m = source.base_from_tool[:, 2, 3]
    for first in np.unique(source.first_row[changes[source.first_row] >= ends]):
        stop = ends[first]
        low = np.flatnonzero(height_m[first:stop] < height_m[first:stop].min() + _TOUCH_M) + first
        for row in (low[-1], low[0]):
            found[first:row] = row
    return found


def _next_changes(source: Demonstrations) -> Int64[np.ndarray, " rows"]:
    """The next row whose gripper differs from the one before; beyond the episode's end: none."""
    is_open = source.action[:, 0, -1] > _OPEN
    changes = np.flatnonzero(is_open[1:] != is_open[:-1]) + 1
    rows = np.arange(len(is_open))
    return np.append(changes, len(rows))[np.searchsorted(changes, rows, side="right")]
