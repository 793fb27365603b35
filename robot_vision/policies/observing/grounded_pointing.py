"""What words name in perception, as one source of what a policy points at.

The prompt is perception's, the instruction the policy's: a phrase counts only while the
instruction names the same, so that words left over from before never lead the arm.
"""

import numpy as np
from jaxtyping import Float32, Int64

from robot_vision.core.boxes import pairwise_iou
from robot_vision.core.clock import seconds_between
from robot_vision.core.files.foreign import quoted
from robot_vision.core.parameters.groups.policy_config import PointingConfig
from robot_vision.core.types import (
    Grounding,
    Perception,
    Phrase,
    Pointed,
    PointedAt,
    TrackState,
)
from robot_vision.policies.language.vocabulary import meant_among, split_words
from robot_vision.policies.observing.target_memory import BARRED, PointingMemory, is_holding
from robot_vision.policies.observing.tokens import HAND, MAX_OBJECTS, NONE, POINTABLE, PolicyInputs

_ROLES = ("target", "destination")
_TARGET = 0
_NO_GROUNDING = "perception has no grounding_model, or its ~/grounded/json does not arrive"
_NO_PROMPT = "perception's prompt is empty"
_TOO_MANY = f"its track is not among the {MAX_OBJECTS} objects that the policy takes"


def pointed_by(perception: Perception, instruction: str, config: PointingConfig) -> Pointed | None:
    """The tracks that the prompt's first two phrases name; None where they have no say."""
    if config.grounded == "off":
        return None
    grounding = perception.grounding
    if grounding is None:
        named = (PointedAt(problem=_NO_GROUNDING),)
    else:
        phrases = grounding.found.prompt.phrases[: len(_ROLES)]
        looked = [(p, _named(p, instruction, perception, grounding, config)) for p in phrases]
        named = tuple(
            PointedAt(phrase=phrase.text, problem=found)
            if isinstance(found, str)
            else PointedAt(phrase=phrase.text, track_ids=found)
            for phrase, found in looked
        ) or (PointedAt(problem=_NO_PROMPT),)
    return Pointed(named=named, is_required=config.grounded == "require")


def _named(
    phrase: Phrase,
    instruction: str,
    perception: Perception,
    grounding: Grounding,
    config: PointingConfig,
) -> tuple[int, ...] | str:
    """The tracks that a phrase names, or why it names none."""
    said = quoted(phrase.text)
    if phrase.problem:
        return f"{said} is not looked for: {phrase.problem}"
    if not _is_named_in(phrase.text, instruction):
        return f"the instruction {quoted(instruction)} does not name {said}, as the prompt does"
    tracks = grounding.tracks
    rows = np.flatnonzero(
        (tracks.class_id == grounding.found.prompt.sought.index(phrase.text))
        & (tracks.state != TrackState.TENTATIVE)
    )
    if not len(rows):
        return f"{said} is not found"
    since_s = abs(seconds_between(tracks.stamp_ns, perception.stamp_ns))
    unseen_s = tracks.unseen_s[rows] + since_s
    fresh = rows[unseen_s <= config.stale_s]
    if not len(fresh):
        return f"{said} was seen {unseen_s.min():.1f} s ago; expected {config.stale_s:g} s at most"
    overlap = pairwise_iou(perception.tracks.box_xyxy_px, tracks.box_xyxy_px[fresh])
    is_same = (overlap >= config.min_overlap).any(axis=1)
    if not is_same.any():
        return f"{said} is found where nothing is tracked"
    return tuple(perception.tracks.track_id[is_same].tolist())


def _is_named_in(phrase: str, instruction: str) -> bool:
    """Whether words in a row of the instruction are those of the phrase, in any order.

    Words that change nothing are left out of both: "the mug that is red" is "a red mug".
    """
    wanted, said = _meant(phrase), _meant(instruction)
    ends = range(len(wanted), len(said) + 1)
    return bool(wanted) and any(sorted(said[e - len(wanted) : e]) == sorted(wanted) for e in ends)


def _meant(text: str) -> list[str]:
    words = split_words(text)
    meant = set(meant_among(words, words))
    return [word for word in words if word in meant]


class GroundedPointing:
    """Lets a policy point only at what is named; of one instruction.

    What was named once and is then hidden by the arm, or held, is still meant.
    """

    def __init__(self) -> None:
        self._kept: list[tuple[str, int] | None] = [None] * len(_ROLES)

    def bias(self, inputs: PolicyInputs, pointed: Pointed | None) -> Float32[np.ndarray, "2 p"]:
        """To be added to the logits of target and destination: all that is not named is barred."""
        bias = np.zeros((len(_ROLES), POINTABLE), np.float32)
        for row, places in enumerate(_places(inputs, pointed)):
            if len(places):
                bias[row] = BARRED
                bias[row, places] = 0
                if row == _TARGET and is_holding(inputs):
                    bias[row, HAND] = 0
        return bias

    def note(
        self,
        inputs: PolicyInputs,
        choice: Int64[np.ndarray, "2"],
        pointed: Pointed | None,
        memory: PointingMemory,
    ) -> tuple[str, ...]:
        """Take in what was chosen. Returns why the prompt had no say; empty where it had."""
        if pointed is None:
            return ()
        found: list[str] = []
        for row, places in enumerate(_places(inputs, pointed)):
            named, chosen = pointed.named[row], int(choice[row])
            key = (named.phrase, int(inputs.track_id[chosen]) if chosen < MAX_OBJECTS else -1)
            kept = self._kept[row]
            if len(places):
                self._kept[row] = key
            elif not (memory.is_hidden[row] and kept is not None and _is_kept(kept, key, chosen)):
                self._kept[row] = None
                found.append(f"grounded {_ROLES[row]}: {named.problem or _TOO_MANY}")
        return tuple(found)


def _is_kept(kept: tuple[str, int], key: tuple[str, int], chosen: int) -> bool:
    """Whether what is chosen for a phrase is what it named before, or that in the hand."""
    return kept[0] == key[0] and chosen != NONE and (chosen == HAND or kept == key)


def _places(inputs: PolicyInputs, pointed: Pointed | None) -> list[Int64[np.ndarray, " n"]]:
    """Of each role that the prompt has a phrase for: the places of the tracks that it names."""
    named = () if pointed is None else pointed.named
    return [
        np.flatnonzero(inputs.present & np.isin(inputs.track_id, each.track_ids)) for each in named
    ]
