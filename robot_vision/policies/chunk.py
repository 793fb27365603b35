"""Overlapping chunks become one target per moment (temporal ensembling, Zhao et al. 2023, ACT).

A row lies at its stamp, so latency is trimmed by itself: what is past is never looked up. Weights
are continuous in time, so that neither a chunk that arrives nor one that ends makes the target
jump: a chunk fades in after it arrived and out before its last row, and younger ones weigh more.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int64

from robot_vision.core.clock import NS_PER_S
from robot_vision.core.types import ActionChunk
from robot_vision.policies import rotations

# Keeps the weights of chunks that fade above zero: a chunk that is alone counts fully.
_LEAST_WEIGHT = 1e-6


@dataclass(frozen=True, kw_only=True, eq=False)
class Target:
    """Where the tool should be at a moment, and how far open the gripper."""

    position_m: Float[np.ndarray, "3"]
    quaternion: Float[np.ndarray, "4"]
    gripper_open: float


@dataclass(frozen=True, kw_only=True, eq=False)
class _Entry:
    """A chunk by rows of x y z, quaternion xyzw, gripper; row 0 is the arm as observed."""

    stamp_ns: int
    arrived_ns: int
    valid_until_ns: int
    rows: Float[np.ndarray, "t1 8"]


class Ensemble:
    """The chunks that are still valid, and their blend."""

    def __init__(self, *, step_s: float, blend_s: float, fade_s: float) -> None:
        self._step_s, self._blend_s, self._fade_s = step_s, blend_s, fade_s
        self._keep([])

    def add(
        self,
        chunk: ActionChunk,
        *,
        base_from_tool: Float[np.ndarray, "4 4"],
        now_ns: int,
    ) -> None:
        """Blend in a chunk that arrives now, seen from the arm as it was at its stamp."""
        entry = _Entry(
            stamp_ns=chunk.observation_stamp_ns,
            arrived_ns=now_ns,
            valid_until_ns=chunk.valid_until_ns,
            rows=_rows(chunk, base_from_tool),
        )
        self._keep([*self._entries, entry])

    def flush(self) -> None:
        """Forget all chunks."""
        self._keep([])

    @property
    def valid_until_ns(self) -> int:
        """When the last of the chunks expires; 0 without any."""
        return max((entry.valid_until_ns for entry in self._entries), default=0)

    def target(self, now_ns: int, *, lead_s: float) -> Target | None:
        """The blend at `lead_s` after now; its gripper is of the row that is due now.

        None if no chunk is valid. A chunk's last row holds from its time until the chunk expires.
        """
        if any(entry.valid_until_ns <= now_ns for entry in self._entries):
            self._keep([entry for entry in self._entries if entry.valid_until_ns > now_ns])
        if not self._entries:
            return None
        age_s = (now_ns - self._stamps_ns) / NS_PER_S
        weights = self._weights(now_ns, age_s + lead_s)
        before, share = self._between(age_s + lead_s)
        sampled = (1 - share) * self._rows[self._which, before, :7]
        sampled += share * self._rows[self._which, before + 1, :7]
        quaternions = sampled[:, 3:]
        # The two signs of a quaternion are one rotation: all on the side of the newest.
        side = np.where(quaternions @ quaternions[-1] < 0, -1.0, 1.0)
        mean = (weights * side) @ quaternions
        before, share = self._between(age_s)
        gripper = self._rows[self._which, before + 1, 7]
        return Target(
            position_m=weights @ sampled[:, :3],
            quaternion=mean / np.sqrt(mean @ mean),
            gripper_open=float(weights @ gripper),
        )

    def _keep(self, entries: list[_Entry]) -> None:
        self._entries = entries
        self._which = np.arange(len(entries))
        self._stamps_ns = np.array([entry.stamp_ns for entry in entries], np.int64)
        self._arrived_ns = np.array([entry.arrived_ns for entry in entries], np.int64)
        if entries:
            self._rows = np.stack([entry.rows for entry in entries])
            self._last = len(self._rows[0]) - 1
            behind_s = (self._stamps_ns.max() - self._stamps_ns) / NS_PER_S
            self._youth = np.exp(-behind_s / self._blend_s)

    def _weights(self, now_ns: int, time_s: Float[np.ndarray, " c"]) -> Float[np.ndarray, " c"]:
        """Normalised weights; `time_s` is what each chunk is looked up at."""
        arrived_s = (now_ns - self._arrived_ns) / NS_PER_S
        left_s = self._last * self._step_s - time_s
        fade = np.clip(np.stack([arrived_s, left_s]) / self._fade_s, _LEAST_WEIGHT, 1.0)
        weights = self._youth * fade[0] * fade[1]
        return weights / weights.sum()

    def _between(
        self, time_s: Float[np.ndarray, " c"]
    ) -> tuple[Int64[np.ndarray, " c"], Float[np.ndarray, "c 1"]]:
        """The row before each chunk's time, and how far it is towards the row after."""
        place = np.minimum(np.maximum(time_s / self._step_s, 0.0), self._last)
        before = np.minimum(place.astype(np.int64), self._last - 1)
        return before, (place - before)[:, None]


def _rows(
    chunk: ActionChunk, base_from_tool: Float[np.ndarray, "4 4"]
) -> Float[np.ndarray, "t1 8"]:
    poses = np.concatenate([base_from_tool[None], chunk.base_from_target])
    quaternions = np.stack([rotations.from_matrix(pose[:3, :3]) for pose in poses])
    flips = np.where((quaternions[1:] * quaternions[:-1]).sum(axis=1) < 0, -1.0, 1.0)
    quaternions[1:] *= np.cumprod(flips)[:, None]
    # The observed opening says how thick a held object is, not what is wanted.
    gripper = np.concatenate([chunk.action[:1, 6], chunk.action[:, 6]])
    return np.concatenate([poses[:, :3, 3], quaternions, gripper[:, None]], axis=1)
