"""Records an episode: callbacks hand in data, one thread writes. No ROS."""

from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

from robot_vision.core.clock import NS_PER_S
from robot_vision.core.errors import EncodingError
from robot_vision.datasets.errors import DatasetError
from robot_vision.datasets.lerobot.sample import Sample
from robot_vision.demonstrations.recording.align import AlignConfig, Aligner, Slot
from robot_vision.demonstrations.writing.writer import DatasetWriter


@dataclass(frozen=True, kw_only=True)
class Ended:
    """The outcome of an episode; `episode_index` is None if it had no frame or was discarded."""

    episode_index: int | None
    frames: int
    notes: dict[str, int]
    stopped: str


class Session:
    """Records one episode, from construction to `end` or `discard`.

    `feed` may be called from any thread and only stores; `work`, `end` and `discard` belong to one
    other thread. `stopped` says why no more data are accepted, if so; earlier data are kept.
    """

    def __init__(
        self,
        writer: DatasetWriter,
        align: AlignConfig,
        to_sample: Callable[[Slot], Sample],
        *,
        instruction: str,
        topics: dict[str, str],
        max_episode_s: float,
        max_gap_s: float,
    ) -> None:
        writer.begin(instruction, topics=topics)
        self._writer = writer
        self._aligner = Aligner(align)
        self._to_sample = to_sample
        self._most_frames = round(max_episode_s * align.fps)
        self._max_gap_ns = round(max_gap_s * NS_PER_S)
        self._lock = Lock()
        self.stopped = ""

    @property
    def frames(self) -> int:
        return self._writer.frames

    @property
    def notes(self) -> dict[str, int]:
        """Data bridged or left out so far, and how often."""
        with self._lock:
            return dict(self._aligner.notes)

    @property
    def missing(self) -> list[str]:
        """Streams not received since the episode was opened."""
        with self._lock:
            return self._aligner.missing

    def feed(self, put: Callable[[Aligner], object]) -> None:
        """Hand data to the aligner."""
        if not self.stopped:
            with self._lock:
                put(self._aligner)

    def work(self, *, at_end: bool = False) -> int:
        """Write all slots that are complete; returns how many."""
        if self.stopped:
            return 0
        with self._lock:
            slots = self._aligner.take(at_end=at_end)
        for slot in slots:
            self._write(slot)
            if self.stopped:
                break
        return len(slots)

    def end(self, *, success: bool | None) -> Ended:
        """Write what is waiting and make the episode part of the dataset.

        Raises `EpisodeWaitsError` if there is no room for it now.
        """
        try:
            self.work(at_end=True)
        except OSError as error:  # earlier data are finalized and kept
            self.stopped = f"{type(error).__name__}: {error}"
        frames, notes = self.frames, self.notes
        number = self._writer.end(success=success, notes=notes)
        return Ended(episode_index=number, frames=frames, notes=notes, stopped=self.stopped)

    def discard(self) -> Ended:
        """Forget the episode."""
        frames = self._writer.discard()
        return Ended(episode_index=None, frames=frames, notes=self.notes, stopped=self.stopped)

    def _write(self, slot: Slot) -> None:
        late = {n: slot.stamp_ns - stamp_ns for n, (stamp_ns, _) in slot.images.items()}
        gone = [name for name, late_ns in late.items() if late_ns > self._max_gap_ns]
        if gone:
            self.stopped = f"no images of {', '.join(gone)} for {max(late.values()) / 1e9:.1f} s"
        elif self.frames >= self._most_frames:
            self.stopped = f"the episode has reached its maximum of frames, {self._most_frames}"
        else:
            self._add(slot)

    def _add(self, slot: Slot) -> None:
        try:
            sample = self._to_sample(slot)
        except EncodingError as error:
            self.stopped = f"an image cannot be read: {error}"
            return
        try:
            self._writer.add(sample)
        except DatasetError as error:
            self.stopped = str(error)
