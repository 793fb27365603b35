"""Episodes of a dataset as a source of frames, together with the demonstrator's actions."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from robot_vision.core.clock import NS_PER_S
from robot_vision.core.errors import EncodingError
from robot_vision.core.types import Frame
from robot_vision.datasets.episode_set import EpisodeActions, EpisodeSet
from robot_vision.datasets.errors import DatasetError
from robot_vision.replay.reading.episodes.choice import choose_camera, choose_episodes
from robot_vision.replay.reading.episodes.options import EpisodeOptions
from robot_vision.replay.reading.frames import InputHealth, RawFrame, RecordedStep, Stream

# Longer than the window for id switches, short enough to wait for in real time.
PAUSE_S = 2.0
_NO_ACTIONS = EpisodeActions(values=np.zeros((0, 0)), names=())


class EpisodeSource:
    """Frames of one camera, episode after episode, `PAUSE_S` apart on one clock from 0.

    The frame is called `episode_N/CAMERA`, so tracking restarts with each episode. Raises
    `BagError` if camera or episodes are ambiguous or missing.
    """

    def __init__(self, episodes: EpisodeSet, *, name: str, options: EpisodeOptions) -> None:
        self.name = name
        self.health = InputHealth()
        self._set = episodes
        self.camera = choose_camera(episodes, wanted=options.camera)
        self.chosen = choose_episodes(episodes, wanted=options.episodes)
        self._stream = Stream(self.camera, "rgb")
        self.health.streams = [self._stream]
        for remark in episodes.remarks:
            self.health.problems.add(f"dataset: {remark}", name)
        self._action_names: tuple[str, ...] | None = None
        self._total = max(sum(episodes.lengths[index] for index in self.chosen), 1)
        self._read = 0

    @property
    def done(self) -> float:
        return min(self._read / self._total, 1.0)

    def raw_frames(self) -> Iterator[RawFrame]:
        self._read, begin_ns = 0, 0
        try:
            for index in self.chosen:
                for raw in self._episode(index, begin_ns):
                    begin_ns = raw.stamp_ns + round(PAUSE_S * NS_PER_S)
                    yield raw
        finally:
            self._set.close()

    def _episode(self, index: int, begin_ns: int) -> Iterator[RawFrame]:
        """The frames of an episode, the first at `begin_ns`."""
        try:
            instruction, actions = self._set.instruction(index), self._actions(index)
        except DatasetError as error:
            self.health.problems.add("episode not read", f"{index}: {error}")
            return
        length = self._set.lengths[index]
        about = {"episode": index, "steps": length, "instruction": instruction}
        self.health.episodes.append({**about, "begins_ns": begin_ns})
        stamps = _Stamps(begin_ns, step_ns=round(NS_PER_S / self._set.fps))
        for step in range(length):
            self._read += 1
            has_action = step < len(actions.values)
            recorded = RecordedStep(
                episode_index=index,
                step_index=step,
                instruction=instruction,
                action=actions.values[step] if has_action else np.zeros(0),
                action_names=actions.names,
            )
            raw = self._raw(index, step, stamps)
            self._stream.add(raw.stamp_ns, "episode")
            self.health.add_pair(raw.stamp_ns, raw.depth_stamp_ns)
            yield replace(raw, recorded=recorded)

    def _raw(self, index: int, step: int, stamps: "_Stamps") -> RawFrame:
        frame_id = f"episode_{index}/{self.camera}"
        try:
            frame = self._set.frame(index, step, self.camera)
        except (DatasetError, EncodingError) as error:
            return RawFrame(stamp_ns=stamps.of_lost(), frame_id=frame_id, read_rgb=_raising(error))
        stamp_ns, depth_stamp_ns = stamps.of(frame)
        depth_m = frame.depth_m
        return RawFrame(
            stamp_ns=stamp_ns,
            frame_id=frame_id,
            read_rgb=lambda: frame.rgb,
            read_depth=None if depth_m is None else lambda: depth_m,
            depth_stamp_ns=depth_stamp_ns,
            camera=frame.camera,
            fixed_from_camera=frame.fixed_from_camera,
        )

    def _actions(self, index: int) -> EpisodeActions:
        """Actions with a name for each number; none if they differ from the first episode's."""
        actions = self._set.actions(index)
        if actions is None:
            return _NO_ACTIONS
        steps, count = actions.values.shape
        names = (
            actions.names if len(set(actions.names)) == count else tuple(map(str, range(count)))
        )
        self._action_names = self._action_names or names
        if names != self._action_names or steps != self._set.lengths[index]:
            detail = f"episode {index}: {steps} of {count}; expected {len(self._action_names)}"
            self.health.problems.add("actions of an episode left out", detail)
            return _NO_ACTIONS
        return EpisodeActions(values=actions.values, names=names)


class _Stamps:
    """Stamps of an episode, shifted to its start in the replay."""

    def __init__(self, begin_ns: int, *, step_ns: int) -> None:
        self._next_ns = begin_ns
        self._step_ns = step_ns
        self._moved_ns: int | None = None

    def of(self, frame: Frame) -> tuple[int, int | None]:
        """The stamp of colour and, if any, of depth."""
        if self._moved_ns is None:
            self._moved_ns = self._next_ns - frame.stamp_ns
        stamp_ns = frame.stamp_ns + self._moved_ns
        self._next_ns = stamp_ns + self._step_ns
        depth_ns = frame.depth_stamp_ns
        return stamp_ns, None if depth_ns is None else depth_ns + self._moved_ns

    def of_lost(self) -> int:
        """The stamp of an unreadable frame: one step after the last."""
        stamp_ns = self._next_ns
        self._next_ns += self._step_ns
        return stamp_ns


def _raising(error: Exception) -> Callable[[], np.ndarray]:
    def read() -> np.ndarray:
        raise EncodingError(str(error)) from error

    return read
