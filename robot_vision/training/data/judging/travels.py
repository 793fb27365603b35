"""Metadata stored with the weights of a policy from pixels: the meaning of its numbers."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from robot_vision.core.cameras.camera_mount import CameraMount
from robot_vision.core.errors import ConfigError
from robot_vision.core.files.foreign import quoted
from robot_vision.core.manifests.action_spec import ACTION_NAMES, ActionSpec, ActionStatistics
from robot_vision.core.manifests.observation_spec import ObservationSpec
from robot_vision.core.manifests.vocabulary import Vocabulary
from robot_vision.datasets.meaning.asking.draft import read_draft
from robot_vision.models.policies.pixel_spec import TrainedCamera
from robot_vision.training.data.demonstrations.options import DemonstrationOptions
from robot_vision.training.data.demonstrations.sets import Episodes
from robot_vision.training.data.demonstrations.words import vocabulary_of
from robot_vision.training.demonstrations.demonstrations import Demonstrations
from robot_vision.training.demonstrations.perceived.perceiving import Perceived
from robot_vision.training.demonstrations.statistics import statistics

_SAME_STEP = 0.01


class TravellingSentences(BaseModel):
    """The sentence encoder of a policy's training; `sha256` is of its files and `max_tokens`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    sha256: str
    width: int
    max_tokens: int


class TravellingPerception(BaseModel):
    """The perception of a policy's training, and its camera in the sets.

    `features_shape` is channels, rows and columns.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    model_id: str
    camera: str = ""
    class_names: tuple[str, ...]
    parameters: dict[str, Any] = {}
    features_shape: tuple[int, int, int] | None = None


class DemonstrationTravels(BaseModel):
    """Words, statistics and observation; `step_s` is a step of a chunk, as in the sets.

    `joint_names` is empty if actions are steps of the tool.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    vocabulary: Vocabulary | None
    sentences: TravellingSentences | None = None
    perception: TravellingPerception | None = None
    poses: dict[str, TrainedCamera] = {}
    statistics: ActionStatistics
    mean_action: tuple[float, ...] = Field(
        description="of the training actions: an answer that needs no policy"
    )
    observation: ObservationSpec
    horizon: int
    step_s: float
    joint_names: tuple[str, ...] = ()
    sets: tuple[str, ...] = Field(default=(), description="folders of the training data")
    meaning: dict[str, Any] = Field(
        default={}, description="the given meaning of numbers in sets that do not state it"
    )

    @property
    def is_tool(self) -> bool:
        return not self.joint_names

    @property
    def action_names(self) -> tuple[str, ...]:
        return ACTION_NAMES if self.is_tool else (*self.joint_names, "gripper")

    @property
    def camera_mounts(self) -> dict[str, CameraMount]:
        """Camera poses that the network learnt, for those who run it."""
        return {name: camera.as_mount() for name, camera in self.poses.items()}

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
        if self.sentences is not None:
            values["text_width"] = self.sentences.width
            values["max_words"] = self.sentences.max_tokens
        if self.perception is not None and self.perception.features_shape is not None:
            names = ("features_channels", "features_rows", "features_columns")
            values |= dict(zip(names, self.perception.features_shape, strict=True))
        if self.poses:
            values["poses"] = {name: pose.model_dump() for name, pose in self.poses.items()}
        return values

    def action_spec(self, model_id: str) -> ActionSpec:
        return ActionSpec(
            model_id=model_id,
            perception_model_id="" if self.perception is None else self.perception.model_id,
            takes_of_perception=self.observation.perception,
            step_s=self.step_s,
            horizon=self.horizon,
            history=0,
            statistics=self.statistics,
            joint_names=self.joint_names,
        )


def read_travels(travels: Mapping[str, Any]) -> DemonstrationTravels:
    """Raises `ConfigError` if the weights are not of a run of this task."""
    try:
        return DemonstrationTravels.model_validate(travels)
    except ValidationError as error:
        raise ConfigError(
            "the weights are not of a run of the task 'demonstrations': observation, statistics "
            f"and words must be stored with them ({quoted(repr(error))}); train with this version"
        ) from error


def travels_of(
    learnt: Episodes,
    options: DemonstrationOptions,
    sentences: TravellingSentences | None = None,
    poses: Mapping[str, TrainedCamera] | None = None,
) -> DemonstrationTravels:
    """The metadata of the training episodes; raises `ConfigError` if they lack words."""
    source, numbers = learnt.source, learnt.numbers_alone()
    takes_words = options.observation.words == "vocabulary"
    return DemonstrationTravels(
        vocabulary=vocabulary_of(learnt.instructions) if takes_words else None,
        sentences=sentences,
        perception=_perception(source.perceived, options),
        poses=dict(poses or {}),
        statistics=statistics(numbers, kind=options.statistics),
        mean_action=tuple(numbers.action[numbers.valid].mean(axis=0).tolist()),
        observation=source.observation,
        horizon=options.horizon,
        step_s=source.step_s,
        joint_names=source.action_joint_names,
        sets=tuple(options.train_sets),
        meaning=read_draft(Path(options.meaning)) if options.meaning else {},
    )


def check_fits(travels: DemonstrationTravels, source: Demonstrations) -> None:
    """Raise `ConfigError` for sets of another rate, other actions or joints than in training."""
    of = source.origins[0][0] if source.origins else "the set"
    if abs(source.step_s - travels.step_s) > _SAME_STEP * travels.step_s:
        raise ConfigError(
            f"{of} has a step every {source.step_s:.3g} s, the policy's chunks every "
            f"{travels.step_s:.3g} s: expected a set of the same rate"
        )
    if source.action_joint_names != travels.joint_names:
        raise ConfigError(
            f"the actions of {of} are {_space(source.action_joint_names)}, the policy's "
            f"{_space(travels.joint_names)}: expected a set of the same actions"
        )
    seen, learnt = source.observation.joint_names, travels.observation.joint_names
    if seen != learnt:
        raise ConfigError(
            f"the state of {of} is {_space(seen)}, the policy's {_space(learnt)}: expected a set "
            "of the same joints in the same order"
        )


def _space(joint_names: tuple[str, ...]) -> str:
    return f"positions of {', '.join(joint_names)}" if joint_names else "steps of the tool"


def check_perceived(travels: DemonstrationTravels, source: Demonstrations) -> None:
    """Raise `ConfigError` if the sets were perceived by another bundle than in training."""
    learnt, said = travels.perception, source.perceived
    if learnt is not None and said is not None and learnt.model_id != said.model_id:
        raise ConfigError(
            f"the policy was trained with the perception of {learnt.model_id}; the sets are "
            f"perceived by {said.model_id}: name the same bundle, of the same version"
        )


def _perception(
    said: Perceived | None, options: DemonstrationOptions
) -> TravellingPerception | None:
    if said is None:
        return None
    return TravellingPerception(
        model_id=said.model_id,
        camera=options.perception.camera,
        class_names=said.class_names,
        parameters=options.perception.parameters,
        features_shape=None if said.features is None else said.features.shape[1:],
    )
