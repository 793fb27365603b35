"""Which of several trials is clearly the best, and whether any is."""

from collections.abc import Sequence
from dataclasses import dataclass

from robot_vision.core.errors import BundleError
from robot_vision.importing.trial import Trial

# A model that knows what is in the pictures reaches more; by chance hardly anything is found.
_TELLING_QUALITY = 0.15
_TELLING_THINGS = 4
# A weak model finds a few things under their names, which is no chance, and no certainty either.
_HINTING_QUALITY = 0.05
_HINTING_THINGS = 2
_CLEAR_RATIO = 1.5  # of qualities: nearly right scalings cost a robust model less than that
# Red and blue swapped and stretched pictures cost less still, so there each picture is asked.
_CLEAR_GAIN = 0.08  # of the better one's quality
_WORST_LOSS = 0.05  # in any picture
_CLEAR_SOUNDNESS = 0.25
_LEAST_SOUND = 0.6
_MANY_THINGS = 5


@dataclass(frozen=True, kw_only=True, eq=False)
class Settled:
    """Ways to feed that differ in one thing: the `chosen` one, the `best`, all that were `tried`.

    `others` are those that `best` is not clearly better than; none where it is chosen for that.
    """

    chosen: Trial
    best: Trial
    others: tuple[Trial, ...]
    tried: tuple[Trial, ...]


class UndecidedError(BundleError):
    """Several readings explain the pictures alike; `trials` are all that were made."""

    def __init__(self, words: str, trials: Sequence[Trial]) -> None:
        super().__init__(words)
        self.trials = tuple(trials)


def decides(trial: Trial) -> bool:
    """Whether so much was found that the pictures say something about this reading.

    Boxes that hit something while most others lie nowhere hit it by chance, and so do boxes of
    classes that have no names for what is shown: one around the whole picture hits half of it.
    """
    evidence = trial.evidence
    if evidence.fault or not evidence.named or not _is_sound(trial):
        return False
    is_hint = evidence.found >= _HINTING_THINGS and evidence.mean_quality >= _HINTING_QUALITY
    return is_hint or evidence.mean_quality >= _TELLING_QUALITY


def is_weak(trial: Trial) -> bool:
    """Whether so little was found that what it decides is not sure."""
    evidence = trial.evidence
    return evidence.mean_quality < _TELLING_QUALITY or evidence.found < _TELLING_THINGS


def is_blind(trial: Trial) -> bool:
    """Whether nothing was found, though many of the things shown are classes of the model."""
    evidence = trial.evidence
    finds = evidence.found > 0 and _is_sound(trial)
    return evidence.named and evidence.drawn >= _MANY_THINGS and not finds


def is_clearly_better(one: Trial, other: Trial) -> bool:
    """Whether `one` explains the pictures so much better that `other` is out of the question.

    Where nothing is found in them, what counts is how sound the surest boxes are.
    """
    if other.evidence.fault:
        return not one.evidence.fault
    if not decides(one):
        gain = one.evidence.sound - other.evidence.sound
        return gain >= _CLEAR_SOUNDNESS and _is_sound(one)
    ratio = _CLEAR_RATIO if _is_sound(other) else 1.0
    return one.evidence.mean_quality >= ratio * other.evidence.mean_quality


def is_better_throughout(one: Trial, other: Trial) -> bool:
    """Whether `one` explains the pictures better on the whole, and none of them much worse."""
    if is_clearly_better(one, other):
        return True
    gain = one.evidence.quality - other.evidence.quality
    least = _CLEAR_GAIN * one.evidence.mean_quality
    return decides(one) and bool(gain.mean() >= least and gain.min() >= -_WORST_LOSS)


def best_of(trials: Sequence[Trial]) -> Trial:
    """The trial that explains the pictures best; of those that are the same, the first."""
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
    """The first, which is the usual one, unless another is better throughout."""
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
    """The same detections; where there are none, boxes that are as sound."""
    a, b = one.evidence, other.evidence
    if not a.equals(b) or bool(a.fault) != bool(b.fault):
        return False
    return len(a.detections) > 0 or abs(a.sound - b.sound) < 0.02
