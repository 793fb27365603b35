"""Overlapping chunks become one target per moment (temporal ensembling, Zhao et al. 2023, ACT).

Rows have stamps, so latency is trimmed implicitly: past rows are never looked up. Younger chunks
weigh more. The target moves with the blend; when the blend jumps because a chunk arrived or
expired, the target catches up by at most half of its own step in addition.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int64

from robot_vision.core import quaternions
from robot_vision.core.clock import NS_PER_S
from robot_vision.core.types import ActionChunk
from robot_vision.policies.control.jerk_limiter import cut, length

# Weight of a chunk that has ended: enough to lead if there is no other.
_LEAST_WEIGHT = 1e-6
# How fast the target may approach the blend: as a share of the blend's own speed, and at least.
_CATCH_UP_SHARE, _CATCH_UP_MPS, _CATCH_UP_RADPS = 0.5, 0.05, 0.3
# After a longer pause the target restarts at the blend.
_PAUSE_NS = 100_000_000


@dataclass(frozen=True, kw_only=True, eq=False)
class Target:
    """Target pose of the tool at a moment, and opening of the gripper."""

    position_m: Float[np.ndarray, "3"]
    quaternion: Float[np.ndarray, "4"]
    gripper_open: float


@dataclass(frozen=True, kw_only=True, eq=False)
class _Entry:
    """A chunk by rows of x y z, quaternion xyzw, gripper; row 0 is the observed arm."""

    stamp_ns: int
    valid_until_ns: int
    rows: Float[np.ndarray, "t1 8"]


class Ensemble:
    """The chunks that are still valid, and their blend."""

    def __init__(self, *, step_s: float, blend_s: float) -> None:
        self._step_s, self._blend_s = step_s, blend_s
        self.flush()

    def add(self, chunk: ActionChunk, *, base_from_tool: Float[np.ndarray, "4 4"]) -> None:
        """Add a chunk, relative to the arm at its stamp."""
        entry = _Entry(
            stamp_ns=chunk.observation_stamp_ns,
            valid_until_ns=chunk.valid_until_ns,
            rows=_rows(chunk, base_from_tool),
        )
        self._keep([*self._entries, entry])

    def flush(self) -> None:
        """Forget all chunks."""
        self._keep([])
        self._last_target: Target | None = None
        self._last_ns = 0

    @property
    def valid_until_ns(self) -> int:
        """When the last chunk expires; 0 without any."""
        return max((entry.valid_until_ns for entry in self._entries), default=0)

    def target(self, now_ns: int, *, lead_s: float) -> Target | None:
        """The blend `lead_s` from now; its gripper is that of the row due now.

        None if no chunk is valid. A chunk's last row holds from its time until the chunk expires.
        """
        if any(entry.valid_until_ns <= now_ns for entry in self._entries):
            self._keep([entry for entry in self._entries if entry.valid_until_ns > now_ns])
        if not self._entries:
            return None
        age_s = (now_ns - self._stamps_ns) / NS_PER_S
        ahead_s = age_s + lead_s
        weights = self._youth * np.where(ahead_s < self._last_row * self._step_s, 1, _LEAST_WEIGHT)
        weights /= weights.sum()
        position_m, quaternion = self._blend(ahead_s, weights)
        before, last_ns = self._last_target, self._last_ns
        if before is not None and 0 <= now_ns - last_ns <= _PAUSE_NS:
            passed_s = (now_ns - last_ns) / NS_PER_S
            was = self._blend(ahead_s - passed_s, weights)
            position_m = _drawn_near(before.position_m, position_m, was[0], passed_s)
            quaternion = _turned_near(before.quaternion, quaternion, was[1], passed_s)
        row = self._row_before(age_s)[0] + 1
        self._last_ns = now_ns
        self._last_target = Target(
            position_m=position_m,
            quaternion=quaternion,
            gripper_open=float(weights @ self._rows[self._which, row, 7]),
        )
        return self._last_target

    def _blend(
        self, time_s: Float[np.ndarray, " c"], weights: Float[np.ndarray, " c"]
    ) -> tuple[Float[np.ndarray, "3"], Float[np.ndarray, "4"]]:
        """Weighted position and quaternion, each chunk evaluated at its time."""
        before, share = self._row_before(time_s)
        sampled = (1 - share) * self._rows[self._which, before, :7]
        sampled += share * self._rows[self._which, before + 1, :7]
        turns = sampled[:, 3:]
        # q and -q are the same rotation: flip all to the side of the newest.
        side = np.where(turns @ turns[-1] < 0, -1.0, 1.0)
        mean = (weights * side) @ turns
        return weights @ sampled[:, :3], mean / np.sqrt(mean @ mean)

    def _keep(self, entries: list[_Entry]) -> None:
        self._entries = entries
        self._which = np.arange(len(entries))
        self._stamps_ns = np.array([entry.stamp_ns for entry in entries], np.int64)
        if entries:
            self._rows = np.stack([entry.rows for entry in entries])
            self._last_row = len(self._rows[0]) - 1
            behind_s = (self._stamps_ns.max() - self._stamps_ns) / NS_PER_S
            self._youth = np.exp(-behind_s / self._blend_s)

    def _row_before(
        self, time_s: Float[np.ndarray, " c"]
    ) -> tuple[Int64[np.ndarray, " c"], Float[np.ndarray, "c 1"]]:
        """The row before each chunk's time, and the fraction towards the next row."""
        place = np.minimum(np.maximum(time_s / self._step_s, 0.0), self._last_row)
        before = np.minimum(place.astype(np.int64), self._last_row - 1)
        return before, (place - before)[:, None]


def _drawn_near(
    target_m: Float[np.ndarray, "3"],
    blend_m: Float[np.ndarray, "3"],
    blend_was_m: Float[np.ndarray, "3"],
    passed_s: float,
) -> Float[np.ndarray, "3"]:
    """The target, moved with the blend and closer to it by as much as allowed."""
    own_m = blend_m - blend_was_m
    most_m = max(_CATCH_UP_SHARE * length(own_m), _CATCH_UP_MPS * passed_s)
    return target_m + own_m + cut(blend_m - target_m - own_m, most_m)


def _turned_near(
    target: Float[np.ndarray, "4"],
    blend: Float[np.ndarray, "4"],
    blend_was: Float[np.ndarray, "4"],
    passed_s: float,
) -> Float[np.ndarray, "4"]:
    """The same for rotations."""
    own_rad = quaternions.between(blend_was, blend)
    most_rad = max(_CATCH_UP_SHARE * length(own_rad), _CATCH_UP_RADPS * passed_s)
    moved = quaternions.multiply(quaternions.exp(own_rad), target)
    nearer_rad = cut(quaternions.between(moved, blend), most_rad)
    return quaternions.multiply(quaternions.exp(nearer_rad), moved)


def _rows(
    chunk: ActionChunk, base_from_tool: Float[np.ndarray, "4 4"]
) -> Float[np.ndarray, "t1 8"]:
    poses = np.concatenate([base_from_tool[None], chunk.base_from_target])
    turns = np.stack([quaternions.from_matrix(pose[:3, :3]) for pose in poses])
    flips = np.where((turns[1:] * turns[:-1]).sum(axis=1) < 0, -1.0, 1.0)
    turns[1:] *= np.cumprod(flips)[:, None]
    # The observed opening is that of a held object, not the wanted one.
    gripper = np.concatenate([chunk.action[:1, 6], chunk.action[:, 6]])
    return np.concatenate([poses[:, :3, 3], turns, gripper[:, None]], axis=1)
