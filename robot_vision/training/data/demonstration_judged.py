"""Episodes as a policy of known words, statistics and observation is judged by them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Int64

from robot_vision.core.action_spec import ActionStatistics
from robot_vision.training.data.demonstration_rows import RowClock
from robot_vision.training.data.demonstration_scenes import Inputs, Scenes
from robot_vision.training.data.demonstration_sets import Episodes
from robot_vision.training.data.demonstration_travels import DemonstrationTravels
from robot_vision.training.data.demonstration_words import Spoken


@dataclass(frozen=True, kw_only=True, eq=False)
class Judged:
    """Episodes, and what a policy's answers at them mean.

    `mean_action` is that of the episodes that were learnt from. `is_tool` says that actions are
    steps of the tool, else positions of joints. It decides every `period_s`. Without `spoken` it
    takes no words.
    """

    episodes: Episodes
    scenes: Scenes
    statistics: ActionStatistics
    mean_action: tuple[float, ...]
    spoken: Spoken | None
    is_tool: bool
    period_s: float

    @property
    def stride(self) -> int:
        """Rows from one decision to the next."""
        return max(1, round(self.period_s / self.scenes.source.step_s))

    def at_most(self, decisions: int) -> "Judged":
        """Whole episodes, evenly spread, with about so many decisions in all; at least one."""
        numbers = self.episodes.numbers
        rows = float(np.mean(self.episodes.lengths))
        count = int(np.clip(decisions * self.stride / rows, 1, len(numbers)))
        chosen = np.linspace(0, len(numbers) - 1, count).round().astype(int)
        return replace(self, episodes=replace(self.episodes, numbers=numbers[chosen]))

    def inputs(self, rows: Int64[np.ndarray, " b"]) -> Inputs:
        """What is seen, and the first wording of what was said."""
        return self.scenes.inputs(rows) | self.words(rows)

    def words(self, rows: Int64[np.ndarray, " b"]) -> Inputs:
        """The first wordings as inputs; nothing where no words are taken."""
        if self.spoken is None:
            return {}
        return self.spoken.first(self.scenes.clock.episode(rows))


def judged_by(
    episodes: Episodes,
    travels: DemonstrationTravels,
    *,
    period_s: float,
    spoken: Spoken | None,
    maps: Mapping[str, tuple[np.ndarray, ...]] | None = None,
) -> Judged:
    """Episodes judged by what travels with a policy; `maps` are those of its frozen encoder.

    `spoken` is what was said in them, as it takes it. It decides every `period_s`, but no more
    often than the sets have a row.
    """
    source = episodes.source
    scenes = Scenes(
        source=source,
        observation=travels.observation,
        clock=RowClock(source),
        maps=maps or {},
    )
    return Judged(
        episodes=episodes,
        scenes=scenes,
        statistics=travels.statistics,
        mean_action=travels.mean_action,
        spoken=spoken,
        is_tool=travels.is_tool,
        period_s=max(period_s, source.step_s),
    )
