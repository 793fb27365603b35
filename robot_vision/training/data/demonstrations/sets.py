"""Opens the sets of a recipe, and splits episodes into training and held-out ones."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Int64

from robot_vision.core.errors import ConfigError
from robot_vision.core.parameters.config import MODEL_PARAMETERS
from robot_vision.terminal import say_progress
from robot_vision.training.data.demonstrations.options import DemonstrationOptions
from robot_vision.training.demonstrations.demonstrations import (
    Demonstrations,
    open_demonstrations,
)
from robot_vision.training.demonstrations.perceived.perceiving import PerceptionAsked

_SPLIT_SEED = 22
_TOLERANCE = 0.1  # of a set's period, by which its stamps may vary


@dataclass(frozen=True, kw_only=True, eq=False)
class Episodes:
    """Some episodes of opened sets, by their numbers there."""

    source: Demonstrations
    numbers: Int64[np.ndarray, " e"]

    @property
    def first_rows(self) -> Int64[np.ndarray, " all"]:
        """The first row of each episode of the source, whether it is one of these or not."""
        return np.unique(self.source.first_row)

    @property
    def lengths(self) -> Int64[np.ndarray, " e"]:
        """Rows of each of these episodes."""
        return self.source.length[self.first_rows[self.numbers]]

    @property
    def rows(self) -> Int64[np.ndarray, " r"]:
        """Rows of these episodes with a taught action, in order."""
        return np.flatnonzero(self._has & np.asarray(self.source.valid[:, 0]))

    @property
    def instructions(self) -> list[tuple[str, ...]]:
        """Wordings of each of these episodes."""
        return [self.source.instructions[number] for number in self.numbers]

    def numbers_alone(self) -> Demonstrations:
        """Their states and actions without pictures, for statistics."""
        rows = np.flatnonzero(self._has)
        source = self.source
        return replace(
            source,
            pictures={},
            depth_m={},
            places={},
            base_from_tool=None,
            is_corrected=None,
            perceived=None,
            state=np.asarray(source.state)[rows],
            stamp_ns=np.asarray(source.stamp_ns)[rows],
            action=np.asarray(source.action)[rows],
            valid=np.asarray(source.valid)[rows],
            first_row=source.first_row[rows],
            length=source.length[rows],
        )

    @property
    def _has(self) -> Bool[np.ndarray, " all"]:
        number_of_row = np.unique(self.source.first_row, return_inverse=True)[1]
        return np.isin(number_of_row, self.numbers)


def learnt_and_held_out(options: DemonstrationOptions) -> tuple[Episodes, Episodes | None]:
    """Training episodes, and held-out ones: of the val sets, else a share.

    The share depends only on the number of episodes, and each `val_fold` is another
    one that does not overlap with earlier ones, as long as there are any. Raises `ConfigError`
    if nothing is left to train on.
    """
    learnt = _usable(_opened(options.train_sets, options), options)
    if options.val_sets:
        return learnt, _usable(_opened(options.val_sets, options), options)
    count = len(learnt.numbers)
    held_out = min(count - 1, int(np.ceil(options.val_share * count)))
    if held_out == 0:
        return learnt, None
    folds = -(-count // held_out)
    if options.val_fold >= folds:
        raise ConfigError(
            f"options.val_fold = {options.val_fold}: {count} episodes with {held_out} held out "
            f"have the folds 0 to {folds - 1}"
        )
    order = np.random.default_rng(_SPLIT_SEED).permutation(count)
    order = np.roll(order, -options.val_fold * held_out)
    parts = (np.sort(learnt.numbers[order[k]]) for k in (slice(held_out, None), slice(held_out)))
    train, val = (replace(learnt, numbers=numbers) for numbers in parts)
    return train, val


def all_episodes(
    folder: Path, options: DemonstrationOptions, meaning: Mapping[str, Any] | None = None
) -> Episodes:
    """The episodes of a set that replaces the recipe's; `meaning` overrides the options' file."""
    return _usable(_opened([str(folder)], options, meaning), options)


def _opened(
    folders: list[str],
    options: DemonstrationOptions,
    meaning: Mapping[str, Any] | None = None,
) -> Demonstrations:
    return open_demonstrations(
        folders,
        on_progress=_say_decoded,
        meaning=meaning or options.meaning,
        observation=options.observation,
        horizon=options.horizon,
        cache_dir=options.cache_dir,
        perception=_perception_asked(options),
        on_perceived=_say_perceived,
    )


def _perception_asked(options: DemonstrationOptions) -> PerceptionAsked | None:
    seen, perception = options.observation, options.perception
    if not seen.perception:
        return None
    return PerceptionAsked(
        model=perception.model,
        camera=perception.camera or seen.cameras[0].name,
        takes=seen.perception,
        parameters=perception.parameters,
    )


def _say_decoded(done: int, count: int) -> None:
    say_progress("pictures decoded of episodes", done - 1, done, count)


def _say_perceived(done: int, count: int) -> None:
    say_progress("pictures perceived of episodes", done - 1, done, count)


def check_options(options: DemonstrationOptions) -> None:
    """Raise `ConfigError` without sets, or for inputs of the node that the sets lack."""
    observation = options.observation
    if not options.train_sets:
        raise ConfigError("options.train_sets is empty: expected folders of demonstrations")
    if "depth" in observation.perception:
        raise ConfigError(
            "options.observation.perception: training on filled depth is not supported; expected "
            "features, tracks or both, and has_depth for a camera with a sensor"
        )
    if observation.perception and not (observation.cameras or options.perception.camera):
        raise ConfigError(
            "options.observation has no cameras: name perception's camera in "
            "options.perception.camera"
        )
    files = sorted(options.perception.parameters.keys() & set(MODEL_PARAMETERS))
    if files:
        raise ConfigError(
            f"options.perception.parameters names bundles ({', '.join(files)}): a policy must not "
            "set them; expected thresholds and the like, and options.perception.model"
        )
    takes_sentences = observation.words == "sentence"
    if takes_sentences != bool(options.sentences.folder):
        raise ConfigError(
            f"options.observation.words = {observation.words} with options.sentences.folder = "
            f"{options.sentences.folder!r}: expected words: sentence with the folder of a "
            "sentence encoder, or neither"
        )


def _check_history(source: Demonstrations) -> None:
    """Raise `ConfigError` if past pictures would be closer together than in the set."""
    seen = source.observation
    if seen.steps > 1 and seen.step_s < (1 - _TOLERANCE) * source.step_s:
        raise ConfigError(
            f"options.observation.step_s = {seen.step_s:g} with {seen.steps} steps: the sets have "
            f"a picture every {source.step_s:g} s; expected that or more"
        )


def _usable(source: Demonstrations, options: DemonstrationOptions) -> Episodes:
    """All but failures, if these are excluded, and episodes that cannot be decoded."""
    _check_history(source)
    failed = np.array([options.only_success and s is False for s in source.success], bool)
    if failed.all():
        raise ConfigError(
            f"all {len(failed)} episodes are marked as failures: set "
            "options.only_success=false to learn from them, or record others"
        )
    first = np.unique(source.first_row)
    is_taught = np.logical_or.reduceat(np.asarray(source.valid[:, 0]), first)
    return Episodes(source=source, numbers=np.flatnonzero(~failed & is_taught))
