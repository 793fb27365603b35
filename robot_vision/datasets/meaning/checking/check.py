"""Checks a meaning against the data: contradictions, with numbers and what to do."""

from collections.abc import Sequence
from dataclasses import replace

from robot_vision.core.files.foreign import quoted
from robot_vision.datasets.camera_names import camera_called
from robot_vision.datasets.episode_set import EpisodeSet
from robot_vision.datasets.errors import DatasetError
from robot_vision.datasets.meaning.asking.draft import MeaningError
from robot_vision.datasets.meaning.checking.check_motion import check_motion
from robot_vision.datasets.meaning.checking.check_numbers import check_numbers
from robot_vision.datasets.meaning.checking.finding import Finding, sampled
from robot_vision.datasets.meaning.meaning import Meaning

_ADVICE = {
    "timestamps": "correct fps in info.json, or record the set at an even rate from 0 on; split "
    "episodes where rows were lost",
    "rows": "sort the rows of each episode by frame_index",
    "tasks": "give each episode one task, in rows and meta: split it where the task changes",
}


def check_meaning(episodes: EpisodeSet, meaning: Meaning) -> tuple[Finding, ...]:
    """Findings, errors first. Looks at no more than 200 episodes, evenly spread.

    Raises `DatasetError` if columns that the meaning names are missing.
    """
    sample = sampled(episodes)
    if not sample:
        return (
            Finding(
                level="error",
                code="no_actions",
                what="the dataset has no actions",
                advice="nothing can be learnt from it; use a set that has them",
            ),
        )
    found = [
        *_rate(episodes, meaning),
        *_contradictions(episodes, [each.number for each in sample]),
        *_cameras(episodes, meaning),
        *check_numbers(sample, meaning),
    ]
    found += check_motion(sample, meaning)
    found = [
        _accepted(finding) if finding.code in meaning.accept else finding for finding in found
    ]
    return tuple(sorted(found, key=lambda finding: finding.level != "error"))


def must_hold(episodes: EpisodeSet, meaning: Meaning, *, of: str) -> tuple[Finding, ...]:
    """The remarks; raises `MeaningError` with all errors, and how to accept false ones."""
    found = check_meaning(episodes, meaning)
    errors = [finding for finding in found if finding.level == "error"]
    if errors:
        codes = ", ".join(dict.fromkeys(finding.code for finding in errors))
        raise MeaningError(
            f"the numbers of {of} are not what their meaning says:\n"
            + "\n".join(f"  [{finding.code}] {finding.text}" for finding in errors)
            + f"\nif that is known to be correct, add `accept: [{codes}]` to the meaning"
        )
    return found


def _accepted(finding: Finding) -> Finding:
    return replace(finding, level="remark", advice=f"accepted; else: {finding.advice}")


def _rate(episodes: EpisodeSet, meaning: Meaning) -> list[Finding]:
    if not episodes.says_rate or abs(episodes.fps - meaning.rate_hz) <= 1e-6 * episodes.fps:
        return []
    return [
        Finding(
            level="error",
            code="rate",
            what=f"the set has {episodes.fps:g} steps per second, "
            f"the meaning says {meaning.rate_hz:g}",
            advice=f"set rate_hz to {episodes.fps:g}",
        )
    ]


def _contradictions(episodes: EpisodeSet, numbers: Sequence[int]) -> list[Finding]:
    """Of each kind the first, with the count of episodes."""
    found = dict[str, list[str]]()
    for number in numbers:
        for code, text in episodes.contradictions(number).items():
            found.setdefault(code, []).append(f"episode {number}: {text}")
    return [
        Finding(
            level="error",
            code=code,
            what=texts[0] + f", and {len(texts) - 1} more episodes" * (len(texts) > 1),
            advice=_ADVICE[code],
        )
        for code, texts in found.items()
    ]


def _cameras(episodes: EpisodeSet, meaning: Meaning) -> list[Finding]:
    """Cameras of the meaning that the set lacks or that are named twice."""
    names, faults = [camera.name for camera in episodes.cameras], list[str]()
    called = list[str]()
    for name in meaning.cameras:
        try:
            called.append(camera_called(name, names, of="the set"))
        except DatasetError as error:
            faults.append(str(error))
    twice = sorted({name for name in called if called.count(name) > 1})
    faults += [f"the meaning has camera {quoted(name)} under two names" for name in twice]
    advice = "rename it in `cameras` of the meaning, or leave it out"
    return [Finding(level="error", code="camera", what=w, advice=advice) for w in faults]
