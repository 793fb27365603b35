"""Memory of which objects the instruction refers to, even while the arm hides them.

The network sees one moment. An object covered by the gripper looks like another, and a held object
may be invisible; without memory the arm would stop above its target. The network's choices are
averaged over about a second and weigh in each new one. Where appearance is unreliable because the
arm is in the way, an identified object stays identified.
"""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float32, Int64

from robot_vision.core.clock import seconds_between
from robot_vision.policies.observing.tokens import (
    HAND,
    NONE,
    OBJECT_SLICES,
    POINTABLE,
    ROBOT_SLICES,
    PolicyInputs,
)

MEMORY_S = 1.0
SURE_S = 0.15  # how long an object must be pointed at before the arm goes for it
FORGOTTEN_S = 2.0  # a longer gap between frames clears the memory
# A track unseen for this long, or this near the tool, may be hidden by the arm.
HIDDEN_S, HIDDEN_M = 0.15, 0.14
# A gripper opening between these means that it holds something.
HOLDING_OPEN = (0.03, 0.93)

_PAST_WEIGHT = 3.0  # weight of earlier frames against this one
_LEARNT_S = 0.3  # younger memory weighs less
# Log shares: the floor, and the value of a new object.
_FLOOR, _NEW = -6.0, -3.0
BARRED = -1e4
_HAND_KEY, _NONE_KEY = -1, -2  # beside the ids of tracks


@dataclass
class _Pointer:
    """Mean log share of each key, and the last choice.

    `is_hidden` objects may look like nothing only because the arm is in the way.
    """

    said: dict[int, float] = field(default_factory=dict)
    found: int | None = None
    is_hidden: bool = False


class PointingMemory:
    """Memory of one instruction. For each frame: get `bias`, run the network, then `note` its
    output."""

    def __init__(self) -> None:
        self._forget()

    def _forget(self) -> None:
        self._pointers = (_Pointer(), _Pointer())
        self._stamp_ns: int | None = None
        self._known_s = self._meant_s = 0.0

    @property
    def is_hidden(self) -> tuple[bool, bool]:
        """Whether the arm is in the way of target and destination, as of the latest `bias`."""
        target, destination = self._pointers
        return target.is_hidden, destination.is_hidden

    def bias(self, inputs: PolicyInputs, stamp_ns: int) -> Float32[np.ndarray, "2 p"]:
        """The bias to add to the logits of target and destination in this frame."""
        if not 0 <= self._passed_s(stamp_ns) <= FORGOTTEN_S:
            self._forget()
        keys = _keys(inputs)
        weight = _PAST_WEIGHT * min(1.0, self._known_s / _LEARNT_S)
        bias = np.zeros((2, POINTABLE), np.float32)
        target, destination = self._pointers
        _follow(target, inputs, holding=is_holding(inputs))
        _follow(destination, inputs, holding=False)  # it is never what the hand holds
        # Who cannot see what is meant does not know what is to become of it either.
        destination.is_hidden |= target.is_hidden and destination.found is not None
        for row, pointer in enumerate(self._pointers):
            for place, key in keys.items():
                bias[row, place] = weight * pointer.said.get(key, _NEW)
            if pointer.is_hidden:
                bias[row, NONE] = BARRED
        return bias

    def note(
        self,
        inputs: PolicyInputs,
        logits: Float32[np.ndarray, "2 p"],
        choice: Int64[np.ndarray, "2"],
        stamp_ns: int,
    ) -> bool:
        """Record the network's output for a frame and the chosen objects.

        Returns whether they are certain enough to act on.
        """
        passed_s = self._passed_s(stamp_ns)
        self._stamp_ns = stamp_ns
        self._known_s += passed_s
        keys, share = _keys(inputs), _log_share(logits)
        keep = float(np.exp(-passed_s / MEMORY_S))
        for row, pointer in enumerate(self._pointers):
            now = {key: float(share[row, place]) for place, key in keys.items()}
            if pointer.is_hidden:
                now |= {k: pointer.said[k] for k in (pointer.found, _NONE_KEY) if k is not None}
            is_early = self._known_s < _LEARNT_S
            pointer.said = {
                key: keep * pointer.said.get(key, value if is_early else _NEW) + (1 - keep) * value
                for key, value in now.items()
            }
            pointer.found = None if choice[row] == NONE else keys[int(choice[row])]
        meant = self._pointers[0].found is not None
        self._meant_s = self._meant_s + passed_s if meant else 0.0
        return self._meant_s >= SURE_S

    def _passed_s(self, stamp_ns: int) -> float:
        return 0.0 if self._stamp_ns is None else seconds_between(self._stamp_ns, stamp_ns)


def _follow(pointer: _Pointer, inputs: PolicyInputs, *, holding: bool) -> None:
    """The object the fingers closed on is in the hand; an open hand holds nothing."""
    rows = np.flatnonzero(inputs.present & (inputs.track_id == pointer.found))
    is_held = pointer.found == _HAND_KEY and holding
    pointer.is_hidden = is_held or (len(rows) > 0 and _is_in_the_way(inputs.objects[rows[0]]))
    if not holding:
        pointer.said[_HAND_KEY] = _FLOOR
    elif pointer.found is not None and (pointer.is_hidden or not len(rows)):
        of_found = pointer.said[pointer.found]
        pointer.said[_HAND_KEY] = max(of_found, pointer.said[_HAND_KEY])
    if pointer.found is not None and not len(rows):
        pointer.found = _HAND_KEY if holding else None
        pointer.is_hidden = holding


def is_holding(inputs: PolicyInputs) -> bool:
    """Whether the fingers have closed upon something."""
    low, high = HOLDING_OPEN
    gripper_open = inputs.robot[ROBOT_SLICES["gripper"]].item()
    return low < gripper_open < high


def _is_in_the_way(token: Float32[np.ndarray, " o"]) -> bool:
    _, unseen_s = token[OBJECT_SLICES["age_and_unseen"]]
    away_m = np.linalg.norm(token[OBJECT_SLICES["centre_from_tool"]][:2])
    return bool(unseen_s > HIDDEN_S or away_m < HIDDEN_M)


def _keys(inputs: PolicyInputs) -> dict[int, int]:
    """Memory keys of everything that can be pointed at."""
    rows = np.flatnonzero(inputs.present)
    tracks = {int(row): int(inputs.track_id[row]) for row in rows}
    return tracks | {HAND: _HAND_KEY, NONE: _NONE_KEY}


def _log_share(logits: Float32[np.ndarray, "2 p"]) -> Float32[np.ndarray, "2 p"]:
    shifted = logits - logits.max(axis=1, keepdims=True)
    share = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return np.maximum(share, _FLOOR)
