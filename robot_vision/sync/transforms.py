"""A short memory of the transform tree (REP 105), looked up at a stamp. No ROS needed.

Between two samples translation is interpolated linearly and rotation along the shortest arc
(Shoemake, 1985); outside them the nearest sample holds, the best available to a frame that does
not wait, as long as it is no older than the caller allows.
"""

from bisect import bisect_left
from collections import deque
from math import inf
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Float64

from robot_vision.core.cameras.geometry import invert_transform, transform_from_quaternion
from robot_vision.core.clock import NS_PER_S

MAX_DEPTH = 64
# A robot has hundreds of frames, at hundreds of hertz; samples take about 400 bytes each.
MOST_FRAMES = 2000
MOST_SAMPLES = 300_000
LONGEST_NAME = 256

# Stamp in nanoseconds, translation in metres, quaternion.
Samples: TypeAlias = deque[tuple[int, np.ndarray, np.ndarray]]


class TransformBuffer:
    """Keeps the last `keep_s` of every moving transform, and all static ones.

    Memory is bounded: at most `MOST_FRAMES` frames, each with its share of `MOST_SAMPLES`,
    so that no frame evicts another's samples.
    """

    def __init__(self, *, keep_s: float = 10.0) -> None:
        self._keep_ns = round(keep_s * NS_PER_S)
        self._parent_of: dict[str, str] = {}
        self._static: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        self._moving: dict[str, Samples] = {}

    def add(
        self,
        *,
        parent: str,
        child: str,
        stamp_ns: int,
        translation_m: Float64[np.ndarray, "3"],
        quaternion_xyzw: Float64[np.ndarray, "4"],
        is_static: bool = False,
    ) -> None:
        """Add a transform.

        Raises `ValueError` if it is not finite or has no rotation, if a name is too long
        or if there are too many frames.
        """
        parent, child = parent.lstrip("/"), child.lstrip("/")
        self._check_names(parent, child)
        norm = float(np.linalg.norm(quaternion_xyzw))
        if not (np.isfinite(translation_m).all() and np.isfinite(norm) and norm > 1e-9):
            raise ValueError(f"transform {parent} to {child} is not a rigid transform")
        rotation = quaternion_xyzw / norm
        self._parent_of[child] = parent
        if is_static:
            self._static[child] = (translation_m, rotation)
            return
        samples = self._samples_of(child)
        if samples and stamp_ns < samples[-1][0] - self._keep_ns:
            samples.clear()  # time restarted: a loop, or another recording
        at = bisect_left(samples, stamp_ns, key=lambda sample: sample[0])
        if at < len(samples) and samples[at][0] == stamp_ns:
            return
        samples.insert(at, (stamp_ns, translation_m, rotation))
        most = self._share()
        while samples[0][0] < samples[-1][0] - self._keep_ns or len(samples) > most:
            samples.popleft()

    def add_message(self, item: Any, *, stamp_ns: int, is_static: bool) -> None:
        """Add a `geometry_msgs/TransformStamped` of any library; raises as `add` does."""
        move, turn = item.transform.translation, item.transform.rotation
        self.add(
            parent=item.header.frame_id,
            child=item.child_frame_id,
            stamp_ns=stamp_ns,
            translation_m=np.array([move.x, move.y, move.z], np.float64),
            quaternion_xyzw=np.array([turn.x, turn.y, turn.z, turn.w], np.float64),
            is_static=is_static,
        )

    def _samples_of(self, child: str) -> Samples:
        if child not in self._moving:
            self._moving[child] = deque()
            most = self._share()
            for samples in self._moving.values():  # every share is smaller from now on
                while len(samples) > most:
                    samples.popleft()
        return self._moving[child]

    def _share(self) -> int:
        return MOST_SAMPLES // len(self._moving)

    def _check_names(self, parent: str, child: str) -> None:
        longest = max(len(parent), len(child))
        if longest > LONGEST_NAME:
            raise ValueError(
                f"a frame's name of {longest} characters; expected at most {LONGEST_NAME}"
            )
        if len(self._parent_of) >= MOST_FRAMES and child not in self._parent_of:
            raise ValueError(f"more than {MOST_FRAMES} frames: {child} is left out")

    def chain(self, frame: str) -> list[str]:
        """`frame` and its ancestors up to the root."""
        names = [frame.lstrip("/")]
        while names[-1] in self._parent_of and len(names) < MAX_DEPTH:
            names.append(self._parent_of[names[-1]])
        return names

    def lookup(
        self, *, target: str, source: str, stamp_ns: int, stale_s: float = inf
    ) -> Float64[np.ndarray, "4 4"] | None:
        """`target_from_source` at `stamp_ns`, or None if the tree does not have it.

        Also None where a moving transform's nearest sample is more than `stale_s` from the stamp.
        """
        target_chain, source_chain = self.chain(target), self.chain(source)
        shared = next((name for name in source_chain if name in target_chain), None)
        if shared is None:
            return None
        shared_from_source = self._up(source_chain, shared, stamp_ns, stale_s)
        shared_from_target = self._up(target_chain, shared, stamp_ns, stale_s)
        if shared_from_source is None or shared_from_target is None:
            return None
        return invert_transform(shared_from_target) @ shared_from_source

    def _up(
        self, chain: list[str], ancestor: str, stamp_ns: int, stale_s: float
    ) -> np.ndarray | None:
        total = np.eye(4)
        for child in chain[: chain.index(ancestor)]:
            step = self._static.get(child) or self._at(child, stamp_ns, stale_s)
            if step is None:
                return None
            total = transform_from_quaternion(*step) @ total
        return total

    def _at(
        self, child: str, stamp_ns: int, stale_s: float
    ) -> tuple[np.ndarray, np.ndarray] | None:
        samples = self._moving.get(child)
        if not samples:
            return None
        at = bisect_left(samples, stamp_ns, key=lambda sample: sample[0])
        around = [samples[k] for k in (at - 1, at) if 0 <= k < len(samples)]
        if min(abs(sample[0] - stamp_ns) for sample in around) > stale_s * NS_PER_S:
            return None
        if len(around) == 1:
            return around[0][1:]
        return _between(around[0], around[1], stamp_ns)


def _between(
    before: tuple[int, np.ndarray, np.ndarray],
    after: tuple[int, np.ndarray, np.ndarray],
    stamp_ns: int,
) -> tuple[np.ndarray, np.ndarray]:
    share = (stamp_ns - before[0]) / (after[0] - before[0])
    translation_m = before[1] + share * (after[1] - before[1])
    cosine = float(before[2] @ after[2])
    end = after[2] if cosine >= 0 else -after[2]
    angle = float(np.arccos(min(abs(cosine), 1.0)))
    if angle < 1e-6:
        return translation_m, before[2] + share * (end - before[2])
    start_weight, end_weight = np.sin((1 - share) * angle), np.sin(share * angle)
    return translation_m, (start_weight * before[2] + end_weight * end) / np.sin(angle)
