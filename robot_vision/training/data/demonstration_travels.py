"""What travels with the weights of a policy from pixels: what its numbers mean."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from robot_vision.core.action_spec import ACTION_NAMES, ActionSpec, ActionStatistics
from robot_vision.core.errors import ConfigError
from robot_vision.core.foreign import quoted
from robot_vision.core.observation_spec import ObservationSpec
from robot_vision.core.vocabulary import Vocabulary
from robot_vision.datasets.meaning.draft import read_draft
from robot_vision.training.data.demonstration_options import DemonstrationOptions
from robot_vision.training.data.demonstration_sets import Episodes
from robot_vision.training.data.demonstration_words import vocabulary_of
from robot_vision.training.demonstrations.statistics import statistics


class DemonstrationTravels(BaseModel):
    """Words, statistics and what is seen; `step_s` is a step of a chunk, as the sets have it.

    `joint_names` is empty where actions are steps of the tool.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    vocabulary: Vocabulary | None
    statistics: ActionStatistics
    mean_action: tuple[float, ...] = Field(
        description="of what was learnt from: an answer that needs no policy"
    )
    observation: ObservationSpec
    horizon: int
    step_s: float
    joint_names: tuple[str, ...] = ()
    sets: tuple[str, ...] = Field(default=(), description="folders that were learnt from")
    meaning: dict[str, Any] = Field(
        default={}, description="what was said of the numbers of sets that do not say it"
    )

    @property
    def is_tool(self) -> bool:
        return not self.joint_names

    @property
    def action_names(self) -> tuple[str, ...]:
        return ACTION_NAMES if self.is_tool else (*self.joint_names, "gripper")

    def spec_values(self) -> dict[str, Any]:
        """Fields of the model's spec that the data determine."""
        values: dict[str, Any] = {
            "observation": self.observation.model_dump(mode="json"),
            "horizon": self.horizon,
            "actions": len(self.action_names),
        }
        if self.vocabulary is not None:
            values["words"] = len(self.vocabulary.words)
            values["max_words"] = self.vocabulary.max_words
        return values

    def action_spec(self, model_id: str) -> ActionSpec:
        return ActionSpec(
            model_id=model_id,
            perception_model_id="",
            step_s=self.step_s,
            horizon=self.horizon,
            history=0,
            statistics=self.statistics,
            joint_names=self.joint_names,
        )


def read_travels(travels: Mapping[str, Any]) -> DemonstrationTravels:
    """Raises `ConfigError` where the weights are of no run of this task."""
    try:
        return DemonstrationTravels.model_validate(travels)
    except ValidationError as error:
        raise ConfigError(
            "the weights are of no run of the task 'demonstrations': observation, statistics and "
            f"words must travel with them ({quoted(repr(error))}); train with this version"
        ) from error


def travels_of(learnt: Episodes, options: DemonstrationOptions) -> DemonstrationTravels:
    """Of the episodes that are learnt from; raises `ConfigError` where they lack words."""
    source, numbers = learnt.source, learnt.numbers_alone()
    takes_words = options.observation.words == "vocabulary"
    return DemonstrationTravels(
        vocabulary=vocabulary_of(learnt.instructions) if takes_words else None,
        statistics=statistics(numbers, kind=options.statistics),
        mean_action=tuple(numbers.action[numbers.valid].mean(axis=0).tolist()),
        observation=source.observation,
        horizon=options.horizon,
        step_s=source.step_s,
        joint_names=source.action_joint_names,
        sets=tuple(options.train_sets),
        meaning=read_draft(Path(options.meaning)) if options.meaning else {},
    )
