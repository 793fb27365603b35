"""Runs perception over the pictures of demonstrations, with the service's own pipeline."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float16, Float32, Float64

from robot_vision.core.errors import ConfigError
from robot_vision.core.files.disk import writing_to
from robot_vision.core.manifests.identity import identity_of
from robot_vision.core.manifests.observation_spec import FromPerception
from robot_vision.core.parameters.config import ServiceConfig
from robot_vision.core.parameters.values import flatten, with_values
from robot_vision.core.types import Frame, Observation, Perception, RobotState
from robot_vision.model_store.store import find_bundle
from robot_vision.perception.perceiver import build_perceiver
from robot_vision.pipeline import Pipeline
from robot_vision.policies.observing.observation import encode_observation
from robot_vision.tracking import build_tracker
from robot_vision.training.demonstrations.row_files import put_rows

_FEATURES, _TRACKS, _SEEN = "features.npy", "tracks.npy", "tracks_seen.npy"


@dataclass(frozen=True, kw_only=True)
class PerceptionAsked:
    """A perception bundle, parameters of the service by dotted names, and the outputs to use.

    `camera` is the set's, by its name in an observation.
    """

    model: str
    camera: str
    takes: tuple[FromPerception, ...]
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, eq=False)
class Perceived:
    """Perception's outputs at each row; unused ones are None.

    `features` are its grid, `tracks` tokens of objects (`policies.tokens`), `tracks_seen` which
    of them exist.
    """

    model_id: str
    class_names: tuple[str, ...]
    features: Float16[np.ndarray, "r c h w"] | None = None
    tracks: Float32[np.ndarray, "r n o"] | None = None
    tracks_seen: Bool[np.ndarray, "r n"] | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class SeenStep:
    """A picture, its camera's pose, and the tool's pose; the latter only for tracks."""

    frame: Frame
    base_from_camera: Float64[np.ndarray, "4 4"] | None = None
    base_from_tool: Float64[np.ndarray, "4 4"] | None = None
    gripper_open: float = 0.0


@dataclass(frozen=True, kw_only=True, eq=False)
class SeenEpisode:
    """An episode whose rows begin at `first_row`; `step(k)` reads the observation at a step."""

    name: str
    first_row: int
    length: int
    step: Callable[[int], SeenStep]


def perceived(
    asked: PerceptionAsked,
    episodes: Sequence[SeenEpisode],
    *,
    rows: int,
    cache: Path,
    on_progress: Callable[[int, int], object] | None = None,
) -> Perceived:
    """For all `rows`; rows of no episode are zeros. A killed run resumes where it stopped.

    Kept below the folder `cache` by the bundle's sha256 and all parameters of the service.
    Raises `BundleError`, `ConfigError` if perception gives no features or grids of several
    shapes, what `SeenEpisode.step` raises, and `DiskFullError`.
    """
    config = with_values(ServiceConfig(model=asked.model, device="cpu"), dict(asked.parameters))
    manifest = find_bundle(asked.model).manifest
    described = {
        "weights": [manifest.sha256, manifest.files, manifest.model_id],
        "service": {n: v for n, v in flatten(config).items() if n not in ("device", "threads")},
        "camera": asked.camera,
        "takes": sorted(asked.takes),
    }
    folder = cache / f"perceived-{identity_of(described)[:24]}"
    with writing_to(folder):
        folder.mkdir(parents=True, exist_ok=True)
        _fill(folder, config, asked, episodes, rows, on_progress)
    takes_tracks = "tracks" in asked.takes
    return Perceived(
        model_id=manifest.model_id,
        class_names=manifest.classes,
        features=_opened(folder / _FEATURES) if "features" in asked.takes else None,
        tracks=_opened(folder / _TRACKS) if takes_tracks else None,
        tracks_seen=_opened(folder / _SEEN) if takes_tracks else None,
    )


def _fill(
    folder: Path,
    config: ServiceConfig,
    asked: PerceptionAsked,
    episodes: Sequence[SeenEpisode],
    rows: int,
    on_progress: Callable[[int, int], object] | None,
) -> None:
    progress = folder / "episodes"
    first = int(progress.read_text()) if progress.exists() else 0
    if first >= len(episodes):
        return
    perceiver = build_perceiver(config)
    try:
        for done, episode in enumerate(episodes[first:], start=first + 1):
            tracker = build_tracker(
                config.tracker
            )  # it learns the reliability of boxes as it runs
            perceiver.forget()
            pipeline = Pipeline(config, perceiver=perceiver, tracker=tracker)
            for file, values in _of_episode(pipeline, asked, episode).items():
                _put(folder / file, rows, episode, values)
            progress.write_text(str(done))
            if on_progress is not None:
                on_progress(done, len(episodes))
    finally:
        perceiver.close()


def _of_episode(
    pipeline: Pipeline, asked: PerceptionAsked, episode: SeenEpisode
) -> dict[str, np.ndarray]:
    found: dict[str, list[np.ndarray]] = {}
    for number in range(episode.length):
        step = episode.step(number)
        perception = pipeline.process(step.frame)
        said = dict[str, np.ndarray]()
        if "features" in asked.takes:
            said[_FEATURES] = _features(perception)
        if "tracks" in asked.takes:
            said |= _tracks(perception, step, episode)
        for file, values in said.items():
            found.setdefault(file, []).append(values)
    return {file: np.stack(values) for file, values in found.items()}


def _features(perception: Perception) -> np.ndarray:
    if perception.features is None:
        raise ConfigError(
            f"options.perception.model: {perception.model_id} gives no features; expected a "
            "bundle with the role `features`, such as native-s"
        )
    return perception.features.grid.astype(np.float16)


def _tracks(perception: Perception, step: SeenStep, episode: SeenEpisode) -> dict[str, np.ndarray]:
    if step.base_from_camera is None or step.base_from_tool is None:
        lacks = "the camera is" if step.base_from_camera is None else "the tool was"
        raise ConfigError(
            f"{episode.name}: perception's tracks are placed in the base frame, but where {lacks} "
            "is not known: give `cameras` and `state.tool` in the set's meaning, or take features"
        )
    robot = RobotState(
        stamp_ns=perception.stamp_ns,
        joint_position_rad=np.zeros(0),
        base_from_tool=step.base_from_tool,
        gripper_open=step.gripper_open,
    )
    observation = Observation(
        perception=perception, base_from_camera=step.base_from_camera, robot=robot
    )
    tokens = encode_observation(observation, history=0)
    return {_TRACKS: tokens.objects, _SEEN: tokens.present}


def _put(path: Path, rows: int, episode: SeenEpisode, values: np.ndarray) -> None:
    shape = (rows, *values.shape[1:])
    if path.exists() and (known := np.load(path, mmap_mode="r").shape) != shape:
        raise ConfigError(
            f"{episode.name}: perception's grid is {shape[1:]}, in episodes before {known[1:]}: "
            "its cameras have another aspect ratio; train on sets with the same kind of camera"
        )
    put_rows(path, shape, episode.first_row, values)


def _opened(path: Path) -> Any:
    return np.load(path, mmap_mode="r")
