"""An RLDS dataset as a set of episodes: each record of its files is one."""

from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from robot_vision.core.clock import NS_PER_S
from robot_vision.core.errors import EncodingError, ForeignFileError
from robot_vision.core.files.foreign import quoted
from robot_vision.core.types import Frame
from robot_vision.datasets.episode_set import (
    EpisodeActions,
    EpisodeCamera,
    EpisodeState,
    Reading,
    several_tasks,
)
from robot_vision.datasets.errors import DatasetError
from robot_vision.datasets.rlds.episode import Episode, open_episode
from robot_vision.datasets.rlds.features import (
    STEPS,
    Feature,
    described_features,
    seen_features,
)
from robot_vision.datasets.rlds.files import find_files
from robot_vision.datasets.rlds.layout import Layout, View, layout_of
from robot_vision.datasets.rlds.pictures import colour_of, depth_of
from robot_vision.datasets.rlds.tfrecord import Record, check_record, index_shard

DEFAULT_FPS = 10.0
_HIGHEST_FPS = 10_000
_MOST_REMARKS = 30


class RldsSet:
    """Episodes of TFRecord files; see `EpisodeSet`. Only the locations of records are kept.

    RLDS has no rate: `reading.fps` applies if it is above 0, else the rate in the episodes'
    metadata, else `DEFAULT_FPS`. Raises `DatasetError` if no episode can be read.
    """

    def __init__(self, path: Path, reading: Reading | None = None) -> None:
        reading = reading or Reading()
        self._files = find_files(path)
        self._limits = reading.limits
        self._depth_of = partial(
            depth_of,
            raw_unit_m=reading.raw_unit_m,
            float_unit_m=reading.float_unit_m,
            limits=reading.limits,
        )
        shards = [index_shard(shard.path) for shard in self._files.shards]
        self._records = [record for shard in shards for record in shard.records]
        self._remarks = [*self._files.remarks, *(shard.damage for shard in shards if shard.damage)]
        if not self._records:
            raise DatasetError(f"{path} holds no episodes: {'; '.join(self._remarks) or 'empty'}")
        self._episode = lru_cache(maxsize=2)(self._load)
        self._layout = self._find_layout()
        self._remarks += self._layout.remarks
        self.says_rate = True
        self.fps = self._rate(reading.fps)

    @property
    def name(self) -> str:
        return self._files.name

    @property
    def remarks(self) -> tuple[str, ...]:
        more = len(self._remarks) - _MOST_REMARKS
        shown = self._remarks[:_MOST_REMARKS]
        return (*shown, f"and {more} more remarks") if more > 0 else tuple(shown)

    @property
    def said_meaning(self) -> None:
        return None

    @property
    def cameras(self) -> tuple[EpisodeCamera, ...]:
        return tuple(
            EpisodeCamera(name=view.name, has_depth=view.depth is not None)
            for view in self._layout.views
        )

    @property
    def lengths(self) -> tuple[int, ...]:
        """0 for an episode that cannot be read."""
        return self._lengths

    def instruction(self, episode_index: int) -> str:
        names = self._layout.instructions[:1]
        return "; ".join(text for name in names for text in self._at(episode_index).texts(name))

    def instructions(self, episode_index: int) -> tuple[str, ...]:
        episode = self._at(episode_index)
        texts = [text for name in self._layout.instructions for text in episode.texts(name)]
        return tuple(dict.fromkeys(texts))

    def success(self, episode_index: int) -> bool | None:  # noqa: ARG002
        """Unknown: RLDS has no common flag for success, and rewards may be of any kind."""
        return None

    def contradictions(self, episode_index: int) -> dict[str, str]:
        names, episode = self._layout.instructions[:1], self._at(episode_index)
        return several_tasks([text for name in names for text in episode.texts(name)])

    def frame(self, episode_index: int, step_index: int, camera: str) -> Frame:
        view, episode = self._view(camera), self._at(episode_index)
        where = f"{self.name}: episode {episode_index}"
        if not 0 <= step_index < episode.steps:
            raise DatasetError(f"{where} has {episode.steps} steps, and no {step_index}")
        stamp_ns = round(step_index * NS_PER_S / self.fps)
        try:
            encoded = episode.picture(view.colour, step_index)
            rgb = colour_of(encoded, view.colour, limits=self._limits)
            depth_m = None
            if view.depth is not None:
                depth_m = self._depth_of(episode.picture(view.depth, step_index), view.depth)
        except EncodingError as error:
            raise DatasetError(f"{where}, step {step_index}, {camera}: {error}") from error
        return Frame(
            stamp_ns=stamp_ns,
            frame_id=camera,
            rgb=rgb,
            depth_m=depth_m,
            depth_stamp_ns=None if depth_m is None else stamp_ns,
        )

    def actions(self, episode_index: int) -> EpisodeActions | None:
        features = self._layout.actions
        if not features:
            return None
        return EpisodeActions(**self._numbers(features, episode_index))

    def state(self, episode_index: int) -> EpisodeState | None:
        features = self._layout.states
        if not features:
            return None
        return EpisodeState(**self._numbers(features, episode_index))

    def close(self) -> None:
        self._episode.cache_clear()

    def _numbers(self, features: tuple[Feature, ...], episode_index: int) -> dict[str, Any]:
        episode = self._at(episode_index)
        columns = [episode.rows(feature) for feature in features]
        names: tuple[str, ...] = ()
        if len(features) > 1:
            pairs = zip(features, columns, strict=True)
            names = tuple(name for f, c in pairs for name in _column_names(f, c.shape[1]))
        return {"values": np.concatenate(columns, axis=1), "names": names}

    @cached_property
    def _lengths(self) -> tuple[int, ...]:
        return tuple(self._length(record) for record in self._records)

    def _length(self, record: Record) -> int:
        try:
            return open_episode(record, limits=self._limits).steps
        except DatasetError:
            return 0

    def _find_layout(self) -> Layout:
        try:
            features = described_features(self._files.folder)
        except ForeignFileError as error:
            raise DatasetError(str(error)) from error
        if not any(feature.name.startswith(STEPS) for feature in features):
            episode = self._first()
            features = seen_features(episode.features, steps=episode.steps, read=episode.read)
            self._remarks.append("no features.json: shapes are those of the first episode")
        return layout_of(features)

    def _first(self) -> Episode:
        """The first readable episode."""
        fault = ""
        for index in range(len(self._records)):
            try:
                return self._at(index)
            except DatasetError as error:
                fault = fault or str(error)
        raise DatasetError(f"no episode of {self._files.folder} can be read: {fault}")

    def _rate(self, wanted: float) -> float:
        if wanted > 0:
            return wanted
        found = self._first().number(self._layout.rate) if self._layout.rate else 0.0
        if 0 < found < _HIGHEST_FPS:
            return found
        self.says_rate = False
        self._remarks.append(
            f"no rate in the dataset: {DEFAULT_FPS:g} steps per second are assumed (--fps)"
        )
        return DEFAULT_FPS

    def _at(self, episode_index: int) -> Episode:
        if not 0 <= episode_index < len(self._records):
            last = len(self._records) - 1
            raise DatasetError(f"no episode {episode_index}: {self.name} has 0 to {last}")
        return self._episode(episode_index)

    def _load(self, episode_index: int) -> Episode:
        record = self._records[episode_index]
        check_record(record)
        return open_episode(record, limits=self._limits)

    def _view(self, camera: str) -> View:
        for view in self._layout.views:
            if view.name == camera:
                return view
        choices = ", ".join(view.name for view in self._layout.views) or "none"
        raise DatasetError(f"no camera {quoted(camera)} in {self.name}; it has: {choices}")


def _column_names(feature: Feature, count: int) -> list[str]:
    name = feature.name.rpartition("/")[2]
    return [name] if count == 1 else [f"{name}_{number}" for number in range(count)]
