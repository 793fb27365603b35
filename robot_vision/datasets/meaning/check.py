"""A meaning against the data: what contradicts it, with numbers and what to do."""

from robot_vision.datasets.episode_set import EpisodeSet
from robot_vision.datasets.meaning.check_motion import check_motion
from robot_vision.datasets.meaning.check_numbers import check_numbers
from robot_vision.datasets.meaning.finding import Finding, sampled
from robot_vision.datasets.meaning.meaning import Meaning


def check_meaning(episodes: EpisodeSet, meaning: Meaning) -> tuple[Finding, ...]:
    """Errors first. Looks at no more than 200 episodes, evenly spread.

    Raises `DatasetError` where the columns that the meaning names are not there.
    """
    sample = sampled(episodes)
    if not sample:
        return (
            Finding(
                level="error",
                code="no_actions",
                what="the dataset has no actions",
                advice="nothing can be learnt from it; bring a set that has them",
            ),
        )
    found = [*_rate(episodes, meaning), *check_numbers(sample, meaning)]
    found += check_motion(sample, meaning)
    return tuple(sorted(found, key=lambda finding: finding.level != "error"))


def _rate(episodes: EpisodeSet, meaning: Meaning) -> list[Finding]:
    if not episodes.says_rate or abs(episodes.fps - meaning.rate_hz) <= 1e-6 * episodes.fps:
        return []
    return [
        Finding(
            level="error",
            code="rate",
            what=f"the set has {episodes.fps:g} steps a second, the meaning says "
            f"{meaning.rate_hz:g}",
            advice=f"set rate_hz to {episodes.fps:g}",
        )
    ]
