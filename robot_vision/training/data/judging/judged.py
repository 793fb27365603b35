"""Episodes for judging a policy with known words, statistics and observation."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Int64

from robot_vision.core.manifests.action_spec import ActionStatistics
from robot_vision.training.data.demonstrations.rows import RowClock
from robot_vision.training.data.demonstrations.scenes import Inputs, Scenes
from robot_vision.training.data.demonstrations.sets import Episodes
from robot_vision.training.data.demonstrations.words import Spoken
from robot_vision.training.data.judging.travels import DemonstrationTravels


@dataclass(frozen=True, kw_only=True, eq=False)
class Judged:
    """Episodes, and the meaning of a policy's answers for them.

    `mean_action` is that of the training episodes. `is_tool` says that actions are
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
        """Whole episodes, evenly spread, with about this many decisions in total; at least one."""
        numbers = self.episodes.numbers
        rows = float(np.mean(self.episodes.lengths))
        count = int(np.clip(decisions * self.stride / rows, 1, len(numbers)))
        chosen = np.linspace(0, len(numbers) - 1, count).round().astype(int)
        return replace(self, episodes=replace(self.episodes, numbers=numbers[chosen]))

    def inputs(self, rows: Int64[np.ndarray, " b"]) -> Inputs:
        """The observation, and the first wording of the instruction."""
        return self.scenes.inputs(rows) | self.words(rows)

    def words(self, rows: Int64[np.ndarray, " b"]) -> Inputs:
        """The first wordings as inputs; nothing if no words are taken."""
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
    """Episodes judged with a policy's metadata; `maps` are those of its frozen encoder.

    `spoken` has their instructions as policy inputs. It decides every `period_s`, but no more
    often than the sets have rows.
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
