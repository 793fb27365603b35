"""A finding of the data about a meaning."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from robot_vision.datasets.episode_set import EpisodeActions, EpisodeSet, EpisodeState

_MOST_EPISODES = 200


@dataclass(frozen=True, kw_only=True)
class Finding:
    """`level` error: do not train on it; remark: be aware of it. `what` has the numbers."""

    level: Literal["error", "remark"]
    code: str
    what: str
    advice: str

    @property
    def text(self) -> str:
        return f"{self.what}: {self.advice}"


@dataclass(frozen=True, kw_only=True, eq=False)
class SampledEpisode:
    """The numbers of an episode as stored in the set."""

    number: int
    actions: EpisodeActions
    state: EpisodeState | None


def sampled(episodes: EpisodeSet, *, most: int = _MOST_EPISODES) -> list[SampledEpisode]:
    """Episodes with actions, evenly spread over the set; raises `DatasetError`."""
    numbers = [number for number, length in enumerate(episodes.lengths) if length > 0]
    places = np.unique(np.linspace(0, len(numbers) - 1, min(most, len(numbers))).astype(int))
    found = list[SampledEpisode]()
    for number in (numbers[place] for place in places):
        actions = episodes.actions(number)
        if actions is not None:
            state = episodes.state(number)
            found.append(SampledEpisode(number=number, actions=actions, state=state))
    return found
