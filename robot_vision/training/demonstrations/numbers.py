"""States and chunks of actions of an episode, as a policy learns them."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64

from robot_vision.core.manifests.observation_spec import ObservationSpec
from robot_vision.datasets.episode_set import EpisodeSet
from robot_vision.datasets.errors import DatasetError
from robot_vision.datasets.meaning.canonical import CanonicalEpisode, canonical, chunks_of
from robot_vision.datasets.meaning.meaning import Meaning


@dataclass(frozen=True, kw_only=True, eq=False)
class EpisodeNumbers:
    """One row per step: the arm's observed state, and the chunk executed from there on.

    `base_from_tool` is None where the set does not have it; `gripper` is 0 closed to 1 open.
    `is_corrected`: instead the chunk that should have been executed, while another agent led.
    """

    state: Float32[np.ndarray, "n s"]
    action: Float32[np.ndarray, "n t a"]
    valid: Bool[np.ndarray, "n t"]
    base_from_tool: Float64[np.ndarray, "n 4 4"] | None
    gripper: Float64[np.ndarray, " n"]
    is_corrected: bool = False

    @property
    def tool_poses(self) -> Float64[np.ndarray, "n 4 4"]:
        """`base_from_tool`; NaN if the set does not have it."""
        if self.base_from_tool is not None:
            return self.base_from_tool
        return np.full((len(self.state), 4, 4), np.nan)


def episode_numbers(
    episodes: EpisodeSet,
    number: int,
    *,
    meaning: Meaning,
    observation: ObservationSpec,
    horizon: int,
) -> EpisodeNumbers:
    """Raises `DatasetError` if there is no action, no such state, or a number is not finite."""
    actions = episodes.actions(number)
    if actions is None:
        raise DatasetError("the dataset has no actions: nothing can be learnt from it")
    episode = canonical(meaning, actions, episodes.state(number))
    state = _state(episode, observation)
    _must_be_finite(state, "the state", number)
    _must_be_finite(episode.first, "the action", number)
    action, valid = chunks_of(episode, horizon)
    if actions.taught is not None:
        action, valid = taught_chunks(actions.taught, horizon)
    return EpisodeNumbers(
        state=state.astype(np.float32),
        action=action.astype(np.float32),
        valid=valid,
        base_from_tool=episode.observed.base_from_tool,
        gripper=episode.gripper,
        is_corrected=actions.taught is not None,
    )


def taught_chunks(
    taught: Float32[np.ndarray, "n k a"], horizon: int
) -> tuple[Float32[np.ndarray, "n t a"], Bool[np.ndarray, "n t"]]:
    """The chunk taught at each row; steps beyond the end repeat the last one and are not valid."""
    steps = np.minimum(np.arange(horizon), taught.shape[1] - 1)
    valid = np.broadcast_to(np.arange(horizon) < taught.shape[1], (len(taught), horizon))
    return taught[:, steps], valid.copy()


def _state(episode: CanonicalEpisode, observation: ObservationSpec) -> Float64[np.ndarray, "n s"]:
    count, seen = len(episode.first), episode.observed
    if observation.state == "none":
        return np.zeros((count, 0))
    gripper = episode.gripper[:, None]
    if observation.state == "joints":
        if seen.joints is None:
            raise DatasetError("observation.state is joints; the set's meaning has no joints")
        return np.concatenate([seen.joints, gripper], axis=1)
    if seen.base_from_tool is None:
        raise DatasetError("observation.state is tool; the set's meaning has no state.tool")
    pose = seen.base_from_tool
    return np.concatenate([pose[:, :3, 3], pose[:, :3, 0], pose[:, :3, 1], gripper], axis=1)


def _must_be_finite(values: np.ndarray, what: str, number: int) -> None:
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        row, column = bad[0]
        raise DatasetError(
            f"episode {number}, step {row}: number {column} of {what} is {values[row, column]}, "
            f"and so are {len(bad) - 1} more; expected finite numbers and true rotations: remove "
            "the episode from the set, or repair it"
        )
