"""The one thread that records demonstrations: aligns, decodes, encodes and writes."""

from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic

import numpy as np

from robot_vision.core.parameters.demonstration_config import DemonstrationConfig
from robot_vision.core.types import Camera, Frame
from robot_vision.datasets.errors import DatasetError
from robot_vision.datasets.lerobot.form.schema import DatasetFormat
from robot_vision.datasets.lerobot.sample import Sample
from robot_vision.demonstrations.recording.align import Slot
from robot_vision.demonstrations.recording.session import Ended, Session
from robot_vision.demonstrations.status import RecorderStatus
from robot_vision.demonstrations.writing.disk_room import DiskLimits
from robot_vision.demonstrations.writing.ended import EpisodeWaitsError
from robot_vision.demonstrations.writing.writer import DatasetWriter
from robot_vision.ros.demonstrations.format import align_config, dataset_format
from robot_vision.ros.demonstrations.topics import DemoTopics
from robot_vision.ros.messages.convert import (
    ImageMessage,
    camera_from_info,
    depth_from_message,
    rgb_from_message,
)

_POLL_S = 0.02
_STATUS_S = 0.5
_ANSWER_S = 60.0
_TRY_AGAIN_S = 5.0

PoseOf = Callable[[str, str, int], "np.ndarray | None"]


class RecordingThread:
    """Owns the dataset. `ask` runs something between two frames and returns its answer."""

    def __init__(
        self,
        config: DemonstrationConfig,
        heard: DemoTopics,
        *,
        pose_of: PoseOf,
        log: Callable[[str], object],
        on_status: Callable[[RecorderStatus], None],
    ) -> None:
        self._config = config
        self._heard = heard
        self._pose_of = pose_of
        self._log = log
        self._on_status = on_status
        self._writer: DatasetWriter | None = None
        self._session: Session | None = None
        self._cameras: dict[str, Camera] = {}
        self._instruction = ""
        self._logged_stop = ""
        self._why_waiting = ""
        self._asked: SimpleQueue[tuple[Callable[[RecordingThread], str], Future[str]] | None]
        self._asked = SimpleQueue()
        if (Path(config.dataset) / "meta").exists():
            self._open(None)
        self._thread = Thread(target=self._run, name="demonstrations", daemon=True)
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def ask(self, what: Callable[["RecordingThread"], str]) -> str:
        """Run `what` in the thread; raises what it raises, or `TimeoutError`."""
        answer: Future[str] = Future()
        self._asked.put((what, answer))
        try:
            return answer.result(_ANSWER_S)
        except TimeoutError:
            raise TimeoutError(
                f"no answer in {_ANSWER_S:.0f} s: it may still be done; see ~/status/json"
            ) from None

    def instruct(self, words: str) -> None:
        self._instruction = words

    def stop(self) -> None:
        """End; an open episode is kept, with unknown success."""
        self._asked.put(None)
        self._thread.join()

    def begin(self, instruction: str) -> str:
        """Open an episode; raises `RobotVisionError` that names what is missing."""
        if self._session is not None:
            raise DatasetError("an episode is open; end or discard it first")
        if not instruction.strip():
            raise DatasetError(
                "no instruction: publish what is to be done on the instruction topic"
            )
        if missing := self._heard.missing():
            raise DatasetError(f"nothing came yet on {', '.join(missing)}")
        if fault := self._heard.fault():
            raise DatasetError(f"joint_states: {fault}")
        joints = self._joints()
        writer = self._open(dataset_format(self._config, self._heard, joints=joints))
        self._cameras = {
            name: camera_from_info(self._heard.infos[name]) for name in self._config.cameras
        }
        self._session = Session(
            writer,
            align_config(self._config, joints=joints),
            self._to_sample,
            instruction=instruction,
            topics=self._heard.topics,
            max_episode_s=self._config.limits.max_episode_s,
            max_gap_s=self._config.limits.max_gap_s,
        )
        self._logged_stop = ""
        self._heard.feed(self._session)
        return f"recording episode {writer.episodes} of {writer.root}: {instruction!r}"

    def _joints(self) -> tuple[str, ...]:
        """The joints to record; an existing dataset determines them and their order."""
        heard = self._heard.joint_names
        known = self._writer.form.joint_names if self._writer else ()
        if self._config.joints or not known:
            return heard
        if missing := [name for name in known if name not in heard]:
            raise DatasetError(
                f"{self._config.dataset} has the joints {', '.join(known)}; joint_states does not "
                f"report {', '.join(missing)}"
            )
        if more := [name for name in heard if name not in known]:
            self._log(f"not recorded, as the dataset does not have them: {', '.join(more)}")
        return known

    def end(self, *, success: bool) -> str:
        """Close the open episode and keep it."""
        session = self._close_session()
        try:
            ended = session.end(success=success)
        except EpisodeWaitsError as error:
            self._why_waiting = str(error)
            raise
        if ended.episode_index is None:
            missing = session.missing
            why = f"nothing came from {', '.join(missing)}" if missing else "it was too short"
            raise DatasetError(f"the episode has no frame and is not kept: {why}")
        words = "success" if success else "failure"
        return f"episode {ended.episode_index}: {ended.frames} frames, {words}" + _notes_of(ended)

    def discard(self) -> str:
        """Close the open episode and delete it."""
        ended = self._close_session().discard()
        return f"discarded {ended.frames} frames" + _notes_of(ended)

    def _close_session(self) -> Session:
        if self._session is None:
            raise DatasetError("no episode is open; start one first")
        session, self._session = self._session, None
        self._heard.feed(None)
        return session

    def _run(self) -> None:
        next_status_s = next_trial_s = 0.0
        while True:
            with suppress(Empty):
                asked = self._asked.get(timeout=_POLL_S)
                if asked is None:
                    return self._finish()
                self._do(*asked)
                next_status_s = 0.0
            self._work()
            if monotonic() >= next_trial_s:
                next_trial_s = monotonic() + _TRY_AGAIN_S
                self._add_waiting()
            if monotonic() >= next_status_s:
                next_status_s = monotonic() + _STATUS_S
                self._on_status(self._status())

    def _finish(self) -> None:
        if self._session is not None:
            try:
                ended = self._close_session().end(success=None)
                report = (
                    f"episode {ended.episode_index} ended with the node: {ended.frames} frames"
                )
            except DatasetError as error:
                report = f"the episode ended with the node: {error}"
            self._log(report)
        if self._writer is not None:
            self._add_waiting()
            if self._writer.waiting:
                self._log(f"{self._writer.waiting} episodes wait for room in the dataset")
            self._writer.close()

    def _add_waiting(self) -> None:
        """Add episodes that did not fit on the disk when they ended."""
        if self._writer is None or not self._writer.waiting or self._session is not None:
            return
        try:
            for report in self._writer.add_waiting():
                self._log(report)
        except DatasetError as error:
            self._log(str(error))
        if not self._writer.waiting:
            self._why_waiting = ""

    def _do(self, what: Callable[["RecordingThread"], str], answer: "Future[str]") -> None:
        try:
            answer.set_result(what(self))
        except Exception as error:  # the caller gets it, and the next one is served
            answer.set_exception(error)

    def _work(self) -> None:
        session = self._session
        if session is None:
            return
        try:
            session.work()
        except Exception as error:  # a full disk, for example: what was written is kept
            session.stopped = f"{type(error).__name__}: {error}"
        if session.stopped and session.stopped != self._logged_stop:
            self._logged_stop = session.stopped
            self._log(f"recording stopped: {session.stopped}; end or discard the episode")

    def _status(self) -> RecorderStatus:
        session, writer = self._session, self._writer
        return RecorderStatus(
            dataset=self._config.dataset,
            episodes=writer.episodes if writer else 0,
            recording=session is not None,
            frames=session.frames if session else 0,
            stopped=session.stopped if session else "",
            waiting=writer.waiting if writer else 0,
            why_waiting=self._why_waiting,
            instruction=self._instruction,
            missing=tuple(self._heard.missing()),
            notes=session.notes if session else {},
            unusable=dict(self._heard.unusable),
        )

    def _open(self, form: DatasetFormat | None) -> DatasetWriter:
        if self._writer is None:
            limits = self._config.limits
            self._writer = DatasetWriter(
                Path(self._config.dataset),
                form,
                limits=DiskLimits(
                    max_bytes=round(limits.max_gb * 1e9),
                    min_free_bytes=round(limits.min_free_gb * 1e9),
                ),
            )
            for report in self._writer.recovered:
                self._log(report)
        if form is not None:
            self._writer.must_have(form)
        return self._writer

    def _to_sample(self, slot: Slot) -> Sample:
        frames: dict[str, Frame] = {}
        poses: dict[str, np.ndarray] = {}
        for name, (stamp_ns, message) in slot.images.items():
            depth_ns, depth = slot.depths.get(name, (None, None))
            frame_id = message.header.frame_id
            frames[name] = Frame(
                stamp_ns=stamp_ns,
                frame_id=frame_id,
                rgb=rgb_from_message(message),
                camera=self._cameras[name],
                depth_m=None if depth is None else self._depth_m(depth),
                depth_stamp_ns=depth_ns,
            )
            pose = self._pose_of(name, frame_id, stamp_ns)
            if pose is not None:
                poses[name] = pose
        return Sample(
            stamp_ns=slot.stamp_ns,
            frames=frames,
            robot=slot.robot,
            action=slot.action,
            base_from_target=slot.base_from_target,
            base_from_camera=poses,
        )

    def _depth_m(self, message: ImageMessage) -> np.ndarray:
        return depth_from_message(message, raw_unit_m=self._config.raw_unit_m)


def _notes_of(ended: Ended) -> str:
    notes = [f"{note}: {count}" for note, count in sorted(ended.notes.items())]
    if ended.stopped:
        notes.insert(0, f"stopped early: {ended.stopped}")
    return f" ({'; '.join(notes)})" if notes else ""
