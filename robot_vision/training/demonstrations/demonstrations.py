"""Opens demonstrations of any robot as arrays for training."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float16, Float32, Float64, Int64, UInt8

from robot_vision.core.errors import ConfigError
from robot_vision.core.manifests.identity import identity_of
from robot_vision.core.manifests.observation_spec import ObservationSpec
from robot_vision.datasets.camera_places import CameraPlaces, camera_places, joined_places
from robot_vision.datasets.errors import DatasetError
from robot_vision.training.demonstrations.cameras import camera_named, camera_of
from robot_vision.training.demonstrations.frames import FrameCache, Job, Wanted, fill
from robot_vision.training.demonstrations.numbers import EpisodeNumbers, episode_numbers
from robot_vision.training.demonstrations.perceived.perceiving import (
    Perceived,
    PerceptionAsked,
    SeenEpisode,
    SeenStep,
    perceived,
)
from robot_vision.training.demonstrations.sources import (
    Said,
    Source,
    checked,
    fingerprint,
    open_sources,
)

_FORMAT = 2  # 2: the nearest frame of a video with more frames than rows
_MOST_NOTES = 20


@dataclass(frozen=True, kw_only=True, eq=False)
class Demonstrations:
    """One row per step, grouped by episode; large arrays lie on disk.

    `pictures` are u8 [R,h,w,3] and `depth_m` f16 [R,h,w] (0 invalid) by camera. `action` is in
    our numbers and `valid` is false where an episode has no such step. `first_row` and `length`
    are those of each row's episode; `instructions`, `success` and `origins` (a set's folder and
    the episode's number there) have an entry per episode, in order. Corrections have no success.
    `places` has camera poses, `base_from_tool` f64 [R,4,4] the tool's pose; NaN where unknown.
    Another agent led rows marked `is_corrected`. `perceived` is perception's output. Nothing is
    valid in an undecodable episode; `notes` name these.
    """

    observation: ObservationSpec
    step_s: float
    pictures: Mapping[str, UInt8[np.ndarray, "r _h _w 3"]]
    depth_m: Mapping[str, Float16[np.ndarray, "r _h _w"]]
    state: Float32[np.ndarray, "r s"]
    stamp_ns: Int64[np.ndarray, " r"]
    action: Float32[np.ndarray, "r t a"]
    valid: Bool[np.ndarray, "r t"]
    first_row: Int64[np.ndarray, " r"]
    length: Int64[np.ndarray, " r"]
    instructions: tuple[tuple[str, ...], ...]
    success: tuple[bool | None, ...]
    action_joint_names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    origins: tuple[tuple[Path, int], ...] = ()
    places: Mapping[str, CameraPlaces] = field(default_factory=dict)
    base_from_tool: Float64[np.ndarray, "r 4 4"] | None = None
    is_corrected: Bool[np.ndarray, " r"] | None = None
    perceived: Perceived | None = None


def open_demonstrations(
    folders: Sequence[str | Path],
    *,
    meaning: Said = None,
    observation: ObservationSpec,
    horizon: int,
    cache_dir: str | Path,
    workers: int = 0,
    perception: PerceptionAsked | None = None,
    on_progress: Callable[[int, int], object] | None = None,
    on_perceived: Callable[[int, int], object] | None = None,
) -> Demonstrations:
    """Open datasets, and decode their pictures once into a folder below `cache_dir`.

    `meaning` (a YAML file, or its content) is for sets that do not state it themselves;
    `workers` 0 is one process per core. `perception` runs over the pictures as stored in the
    sets, and its output is kept there too. Raises `MeaningError` for a missing meaning and if
    the data contradict it, `DatasetError` for data that are unreadable or not finite,
    `ConfigError` for missing cameras and joints, `DiskFullError` if the pictures
    have no room.
    """
    sources = open_sources(folders, meaning)
    try:
        found = _Opened(sources, observation, horizon)
        remarks = checked(sources)
        cache = found.cache(Path(cache_dir))
        faults = fill(
            cache, found.jobs, workers=workers or os.cpu_count() or 1, on_progress=on_progress
        )
        said = None
        if perception is not None:
            said = found.perceived(perception, cache, faults, on_perceived)
        return replace(found.demonstrations(cache, faults, remarks), perceived=said)
    finally:
        for source in sources:
            source.episodes.close()


class _Opened:
    """Numbers of all episodes, and their rows."""

    def __init__(
        self, sources: Sequence[Source], observation: ObservationSpec, horizon: int
    ) -> None:
        if not sources:
            raise ConfigError("no folders of demonstrations are given")
        self._sources = sources
        self._observation = _with_joints(observation, sources)
        self._joints = _action_joints(sources)
        self._numbers = list[EpisodeNumbers]()
        self.jobs = list[Job]()
        self._cameras = tuple(
            Wanted(
                camera=camera,
                names=tuple(camera_of(s.episodes, camera, of=str(s.folder)) for s in sources),
            )
            for camera in observation.cameras
        )
        for folder, source in enumerate(sources):
            for number, length in enumerate(source.episodes.lengths):
                if length > 0:
                    self._add(folder, source, number, horizon)
        if not self.jobs:
            raise DatasetError("the sets have no readable episode")

    def cache(self, cache_dir: Path) -> FrameCache:
        """The folder depends on the content of the sets, the cameras and sizes."""
        described = {
            "format": _FORMAT,
            "sets": [[str(s.folder.resolve()), fingerprint(s.folder)] for s in self._sources],
            "cameras": [[w.camera.model_dump(), w.names] for w in self._cameras],
        }
        return FrameCache(
            root=cache_dir / identity_of(described)[:24],
            folders=tuple(s.folder for s in self._sources),
            rates_hz=tuple(s.episodes.fps for s in self._sources),
            cameras=self._cameras,
            rows=self._rows,
            episodes=len(self.jobs),
        )

    def demonstrations(
        self, cache: FrameCache, faults: Mapping[int, str], remarks: tuple[str, ...]
    ) -> Demonstrations:
        if len(faults) == len(self.jobs):
            raise DatasetError(f"no episode can be decoded: {next(iter(faults.values()))}")
        lengths = np.array([job.length for job in self.jobs])
        first = np.array([job.first_row for job in self.jobs])
        valid = np.concatenate([numbers.valid for numbers in self._numbers])
        stamp_ns = np.array(cache.stamps_ns())
        for place in faults:
            rows = slice(first[place], first[place] + lengths[place])
            valid[rows], stamp_ns[rows] = False, 0  # of which some may be missing
        of = [(self._sources[job.folder].episodes, job.number) for job in self.jobs]
        return Demonstrations(
            observation=self._observation,
            step_s=1 / self._sources[0].meaning.rate_hz,
            pictures={w.camera.name: cache.rgb(w.camera) for w in self._cameras},
            depth_m={
                w.camera.name: cache.depth_m(w.camera) for w in self._cameras if w.camera.has_depth
            },
            state=np.concatenate([numbers.state for numbers in self._numbers]),
            stamp_ns=stamp_ns,
            action=np.concatenate([numbers.action for numbers in self._numbers]),
            valid=valid,
            first_row=np.repeat(first, lengths),
            length=np.repeat(lengths, lengths),
            instructions=tuple(episodes.instructions(number) for episodes, number in of),
            success=tuple(
                # The leading agent's actions are not evidence against the expert's labels.
                None if numbers.is_corrected else episodes.success(number)
                for (episodes, number), numbers in zip(of, self._numbers, strict=True)
            ),
            action_joint_names=self._joints,
            notes=(*_notes(faults, len(self.jobs)), *remarks),
            origins=tuple((self._sources[job.folder].folder, job.number) for job in self.jobs),
            places={w.camera.name: self._places_of_all(w) for w in self._cameras},
            base_from_tool=np.concatenate([numbers.tool_poses for numbers in self._numbers]),
            is_corrected=np.repeat([numbers.is_corrected for numbers in self._numbers], lengths),
        )

    def perceived(
        self,
        asked: PerceptionAsked,
        cache: FrameCache,
        faults: Mapping[int, str],
        on_progress: Callable[[int, int], object] | None,
    ) -> Perceived:
        """Perception of all episodes, except undecodable ones."""
        names = [
            camera_named(source.episodes, asked.camera, of=str(source.folder))
            for source in self._sources
        ]
        episodes = [
            self._seen(job, names[job.folder]) for job in self.jobs if job.place not in faults
        ]
        return perceived(
            asked, episodes, rows=self._rows, cache=cache.root, on_progress=on_progress
        )

    def _seen(self, job: Job, camera: str) -> SeenEpisode:
        source, numbers = self._sources[job.folder], self._numbers[job.place]
        places = self._places_in(job, camera).base_from_camera

        def step(number: int) -> SeenStep:
            base_from_camera, tools = places[number], numbers.base_from_tool
            return SeenStep(
                frame=source.episodes.frame(job.number, number, camera),
                base_from_camera=base_from_camera if np.isfinite(base_from_camera).all() else None,
                base_from_tool=None if tools is None else tools[number],
                gripper_open=float(numbers.gripper[number]),
            )

        name = f"{source.folder}, episode {job.number}"
        return SeenEpisode(name=name, first_row=job.first_row, length=job.length, step=step)

    def _places_of_all(self, wanted: Wanted) -> CameraPlaces:
        return joined_places([self._places_in(job, wanted.names[job.folder]) for job in self.jobs])

    def _places_in(self, job: Job, camera: str) -> CameraPlaces:
        source = self._sources[job.folder]
        return camera_places(
            source.episodes,
            source.meaning,
            job.number,
            camera,
            length=job.length,
            base_from_tool=self._numbers[job.place].base_from_tool,
        )

    @property
    def _rows(self) -> int:
        return self.jobs[-1].first_row + self.jobs[-1].length if self.jobs else 0

    def _add(self, folder: int, source: Source, number: int, horizon: int) -> None:
        try:
            numbers = episode_numbers(
                source.episodes,
                number,
                meaning=source.meaning,
                observation=self._observation,
                horizon=horizon,
            )
        except DatasetError as error:
            raise DatasetError(f"{source.folder}: {error}") from error
        place, row = len(self.jobs), self._rows
        length = len(numbers.state)
        self.jobs.append(
            Job(folder=folder, number=number, place=place, first_row=row, length=length)
        )
        self._numbers.append(numbers)


def _notes(faults: Mapping[int, str], count: int) -> tuple[str, ...]:
    if not faults:
        return ()
    shown = tuple(faults.values())[:_MOST_NOTES]
    return (f"{len(faults)} of {count} episodes cannot be decoded and are left out", *shown)


def _with_joints(observation: ObservationSpec, sources: Sequence[Source]) -> ObservationSpec:
    """The observation with the names of the sets' joints."""
    if observation.state != "joints":
        return observation
    names = {_state_joints(source) for source in sources}
    names |= {observation.joint_names} if observation.joint_names else set()
    if len(names) != 1:
        raise ConfigError(f"the joints of the sets and the observation differ: {sorted(names)}")
    return observation.model_copy(update={"joint_names": names.pop()})


def _state_joints(source: Source) -> tuple[str, ...]:
    state = source.meaning.state
    if state is None or state.joints is None:
        raise ConfigError(
            f"observation.state is joints; the meaning of {source.folder} has no state.joints"
        )
    return state.joints.joint_names


def _action_joints(sources: Sequence[Source]) -> tuple[str, ...]:
    """Empty if actions are of the tool."""
    joints = [source.meaning.action.joints for source in sources]
    names = {() if each is None else each.joint_names for each in joints}
    if len(names) > 1:
        raise ConfigError(f"the sets command different joints: {sorted(names)}")
    return names.pop()
