"""Which of several trials is clearly the best, and whether any is."""

from collections.abc import Sequence

from robot_vision.core.errors import BundleError
from robot_vision.importing.trial import Trial

# A model that knows what is in the pictures reaches more; by chance hardly anything is found.
_TELLING_QUALITY = 0.15
_TELLING_WITHOUT_NAMES = 0.3
_CLEAR_RATIO = 1.5  # of qualities: nearly right scalings cost a robust model less than that
# Red and blue swapped cost still less, so there every picture is asked.
_CLEAR_COLOR_GAIN = 0.08  # of the better one's quality
_WORST_LOSS = 0.05  # in any picture
_CLEAR_SOUNDNESS = 0.25
_LEAST_SOUND = 0.6
_MANY_THINGS = 5


class UndecidedError(BundleError):
    """Several readings explain the pictures alike; `trials` are all that were made."""

    def __init__(self, words: str, trials: Sequence[Trial]) -> None:
        super().__init__(words)
        self.trials = tuple(trials)


def decides(trial: Trial) -> bool:
    """Whether so much was found that the pictures say something about this reading."""
    evidence = trial.evidence
    least = _TELLING_QUALITY if evidence.named else _TELLING_WITHOUT_NAMES
    return not evidence.fault and evidence.mean_quality >= least


def is_blind(trial: Trial) -> bool:
    """Whether nothing was found, though many of the things shown are classes of the model."""
    evidence = trial.evidence
    return evidence.named and evidence.drawn >= _MANY_THINGS and evidence.found == 0


def is_clearly_better(one: Trial, other: Trial) -> bool:
    """Whether `one` explains the pictures so much better that `other` is out of the question.

    Where nothing is found in them, what counts is how sound the surest boxes are.
    """
    if other.evidence.fault:
        return not one.evidence.fault
    if not decides(one):
        gain = one.evidence.sound - other.evidence.sound
        return gain >= _CLEAR_SOUNDNESS and one.evidence.sound >= _LEAST_SOUND
    return one.evidence.mean_quality >= _CLEAR_RATIO * other.evidence.mean_quality


def has_clearer_colors(one: Trial, other: Trial) -> bool:
    """Whether `one` explains the pictures better on the whole, and none of them much worse."""
    if is_clearly_better(one, other):
        return True
    gain = one.evidence.quality - other.evidence.quality
    least = _CLEAR_COLOR_GAIN * one.evidence.mean_quality
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
