"""Decides which of several trials is clearly the best, if any."""

from collections.abc import Sequence
from dataclasses import dataclass

from robot_vision.core.errors import BundleError
from robot_vision.importing.trying.trial import Trial

# A model that knows the objects in the pictures reaches more; by chance hardly anything is found.
_TELLING_QUALITY = 0.15
_TELLING_THINGS = 4
# A weak model finds a few objects under their names: more than chance, but not certain.
_HINTING_QUALITY = 0.05
_HINTING_THINGS = 2
_CLEAR_RATIO = 1.5  # of qualities: a nearly correct scaling costs a robust model less than that
# Swapped red and blue and stretched pictures cost even less, so there every picture must agree.
_CLEAR_GAIN = 0.08  # of the better one's quality
_WORST_LOSS = 0.05  # in any picture
_CLEAR_SOUNDNESS = 0.25
_LEAST_SOUND = 0.6
_MANY_THINGS = 5


@dataclass(frozen=True, kw_only=True, eq=False)
class Settled:
    """Input preparations that differ in one respect: the `chosen` one, the `best`, all `tried`.

    `others` are those that `best` does not clearly beat; empty if `best` was chosen because it
    does.
    """

    chosen: Trial
    best: Trial
    others: tuple[Trial, ...]
    tried: tuple[Trial, ...]


class UndecidedError(BundleError):
    """Several readings explain the pictures equally well; `trials` are all that were made."""

    def __init__(self, words: str, trials: Sequence[Trial]) -> None:
        super().__init__(words)
        self.trials = tuple(trials)


def decides(trial: Trial) -> bool:
    """Whether enough was found for the pictures to support this reading.

    Boxes that hit something while most others hit nothing do so by chance, and so do boxes of
    classes whose names do not match the objects: one around the whole picture hits half of it.
    """
    evidence = trial.evidence
    if evidence.fault or not evidence.named or not _is_sound(trial):
        return False
    is_hint = evidence.found >= _HINTING_THINGS and evidence.mean_quality >= _HINTING_QUALITY
    return is_hint or evidence.mean_quality >= _TELLING_QUALITY


def is_weak(trial: Trial) -> bool:
    """Whether so little was found that the decision is uncertain."""
    evidence = trial.evidence
    return evidence.mean_quality < _TELLING_QUALITY or evidence.found < _TELLING_THINGS


def is_blind(trial: Trial) -> bool:
    """Whether nothing was found, though many of the objects shown are classes of the model."""
    evidence = trial.evidence
    finds = evidence.found > 0 and _is_sound(trial)
    return evidence.named and evidence.drawn >= _MANY_THINGS and not finds


def is_clearly_better(one: Trial, other: Trial) -> bool:
    """Whether `one` explains the pictures so much better that `other` can be ruled out.

    If nothing is found in them, the plausibility of the highest-scoring boxes counts.
    """
    if other.evidence.fault:
        return not one.evidence.fault
    if not decides(one):
        gain = one.evidence.sound - other.evidence.sound
        return gain >= _CLEAR_SOUNDNESS and _is_sound(one)
    ratio = _CLEAR_RATIO if _is_sound(other) else 1.0
    return one.evidence.mean_quality >= ratio * other.evidence.mean_quality


def is_better_throughout(one: Trial, other: Trial) -> bool:
    """Whether `one` explains the pictures better overall, and none of them much worse."""
    if is_clearly_better(one, other):
        return True
    gain = one.evidence.quality - other.evidence.quality
    least = _CLEAR_GAIN * one.evidence.mean_quality
    return decides(one) and bool(gain.mean() >= least and gain.min() >= -_WORST_LOSS)


def best_of(trials: Sequence[Trial]) -> Trial:
    """The trial that explains the pictures best; of equal ones, the first."""
    best = max(trials, key=_rank)
    return next(t for t in trials if t is best or _same(t, best))


def rivals_of(best: Trial, trials: Sequence[Trial]) -> list[Trial]:
    """Trials with other results that are not clearly worse than `best`."""
    return [
        t
        for t in trials
        if t is not best and not _same(t, best) and not is_clearly_better(best, t)
    ]


def settled(tried: Sequence[Trial]) -> Settled:
    """The first, which is the usual one, unless another is better on every picture."""
    best = best_of(tried)
    others = [t for t in tried if t is not best]
    is_clear = all(is_better_throughout(best, other) for other in others)
    return Settled(
        chosen=best if is_clear else tried[0],
        best=best,
        others=() if is_clear else tuple(others),
        tried=tuple(tried),
    )


def _is_sound(trial: Trial) -> bool:
    return trial.evidence.sound >= _LEAST_SOUND


def _rank(trial: Trial) -> tuple[bool, float, float]:
    evidence = trial.evidence
    quality = evidence.mean_quality if decides(trial) else 0.0
    return not evidence.fault, quality, round(evidence.sound, 2)


def _same(one: Trial, other: Trial) -> bool:
    """Whether detections are the same; if there are none, whether boxes are equally plausible."""
    a, b = one.evidence, other.evidence
    if not a.equals(b) or bool(a.fault) != bool(b.fault):
        return False
    return len(a.detections) > 0 or abs(a.sound - b.sound) < 0.02
