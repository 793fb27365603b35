"""Writes datasets of demonstrations: episode by episode, in bounded memory, appending."""

import fcntl
import shutil
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from uuid import uuid4

from robot_vision import __version__
from robot_vision.core.files.disk import DiskFullError, writing_to
from robot_vision.datasets.errors import DatasetError
from robot_vision.datasets.lerobot.files.paths import Files
from robot_vision.datasets.lerobot.form import layout
from robot_vision.datasets.lerobot.form.schema import DatasetFormat, EpisodeRecord
from robot_vision.datasets.lerobot.sample import Sample
from robot_vision.demonstrations.writing.disk_room import DiskLimits, DiskRoom
from robot_vision.demonstrations.writing.ended import EndedEpisode, EpisodeWaitsError
from robot_vision.demonstrations.writing.finalize_episode import finalize_episode
from robot_vision.demonstrations.writing.index import DatasetIndex
from robot_vision.demonstrations.writing.open_episode import OpenEpisode

_LOOK_EVERY = 20  # samples between two checks of the disk
_DAMAGED = "damaged-"


class DatasetWriter:
    """A dataset open for writing, by one process at a time; created if missing.

    Opening finishes what an earlier process left: `recovered` describes what was found.
    Raises `DatasetError` if the dataset has another form than `form`, or is being written to.
    """

    def __init__(
        self, root: Path, form: DatasetFormat | None = None, *, limits: DiskLimits | None = None
    ) -> None:
        self.root = root
        self._room = DiskRoom(root, limits or DiskLimits())
        self._episode: OpenEpisode | None = None
        self._ended: list[EndedEpisode] = []
        self._is_behind = False
        self._exists = (root / layout.OURS).exists()
        if not self._exists:
            _must_be_empty(root)
            if form is None:
                raise DatasetError(f"{root} is not a dataset of robot_vision: no {layout.OURS}")
        Files(root).check_links()  # writes must not follow a link
        with writing_to(root):
            (root / layout.RECORDING).mkdir(parents=True, exist_ok=True)
            self._lock = (root / layout.RECORDING / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._index = self._open(form)
            self.recovered = self._recover()
        except BlockingIOError as error:
            self._lock.close()
            raise DatasetError(f"{root} is being written to by another process") from error
        except OSError as error:
            self._lock.close()
            raise DiskFullError(root, error) from error
        except BaseException:
            self._lock.close()
            raise
        self._room.measure()

    def __enter__(self) -> "DatasetWriter":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def form(self) -> DatasetFormat:
        return self._index.form

    @property
    def episodes(self) -> int:
        """The number of complete episodes."""
        return self._index.episodes

    @property
    def frames(self) -> int:
        """The number of frames of the open episode."""
        return self._episode.frames if self._episode else 0

    def must_have(self, form: DatasetFormat) -> None:
        """Raise `DatasetError` that names the differences if the dataset has another form."""
        self._index.must_have(form)

    def begin(self, instruction: str, *, topics: dict[str, str] | None = None) -> None:
        """Open an episode; raises `DatasetError` if one is open or there is no instruction."""
        if self._episode is not None:
            raise DatasetError("an episode is open; end or discard it first")
        if not instruction.strip():
            raise DatasetError("an episode needs an instruction: what is the robot to do?")
        self._add_ended()
        self._check_room()
        record = EpisodeRecord(
            recording_id=uuid4().hex,
            instruction=instruction.strip(),
            robot_vision_version=__version__,
            topics=topics or {},
        )
        folder = self.root / layout.RECORDING / record.recording_id
        try:
            self._episode = OpenEpisode(folder, self.form, record)
        except OSError:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    def add(self, sample: Sample) -> None:
        """Append to the open episode.

        Raises `DatasetError` for a sample that does not fit, `DiskLimitError` if there is no
        room for it; the episode stays open.
        """
        episode = self._open_episode()
        if episode.frames % _LOOK_EVERY == _LOOK_EVERY - 1:
            self._check_room()
        episode.add(sample)

    def end(
        self, *, success: bool | None = None, notes: dict[str, int] | None = None
    ) -> int | None:
        """Make the open episode part of the dataset; its number, None if it has no frame.

        Raises `EpisodeWaitsError` if there is no room for it: the episode and its success mark are
        kept, and added by `add_waiting`, before the next episode, or when the dataset is next
        opened.
        """
        episode = self._open_episode()
        self._episode = None
        ended = EndedEpisode.end(episode, success=success, notes=notes or {})
        self._ended.append(ended)
        self._add_ended()
        return ended.number

    def take_over(self, folder: Path) -> int | None:
        """Make an `OpenEpisode` that ended elsewhere on this disk part of the dataset.

        Removes its folder; otherwise like `end`.
        """
        self._add_ended()
        self._check_room()
        moved = folder.rename(self.root / layout.RECORDING / folder.name)
        ended = EndedEpisode.recorded(moved)
        self._ended.append(ended)
        self._add_ended()
        return ended.number

    @property
    def waiting(self) -> int:
        """Episodes that have ended but had no room."""
        return len(self._ended)

    def add_waiting(self) -> list[str]:
        """Retry adding episodes that wait for room; reports those now part of the dataset."""
        waiting = list(self._ended)
        with suppress(EpisodeWaitsError):
            self._add_ended()
        return [
            f"episode {e.number} was added now that there is room: {e.words}"
            for e in waiting
            if e.is_added
        ]

    def discard(self) -> int:
        """Discard the open episode; returns its number of frames."""
        episode = self._open_episode()
        self._episode = None
        episode.close()  # whether there was room for its end does not matter
        shutil.rmtree(episode.folder)
        return episode.frames

    def close(self) -> None:
        """Release the dataset; an open episode is discarded."""
        if self._episode is not None:
            self.discard()
        self._lock.close()

    def _add_ended(self) -> None:
        """Commit ended episodes, in order: numbers follow the order of recording."""
        while self._ended:
            ended = self._ended[0]
            try:
                if self._is_behind:
                    self._index = DatasetIndex.open(self.root)
                ended.add(self._index)
                self._is_behind = False
            except OSError as error:
                self._is_behind = True  # the index in memory may differ from the disk
                raise EpisodeWaitsError(ended.waits(error, self.root)) from error
            except DatasetError as error:
                del self._ended[0]
                raise DatasetError(_put_aside(ended.folder, error)) from error
            del self._ended[0]
        self._room.measure()

    def _open(self, form: DatasetFormat | None) -> DatasetIndex:
        if not self._exists:
            assert form is not None
            return DatasetIndex.create(self.root, form)
        index = DatasetIndex.open(self.root)
        if form is not None:
            index.must_have(form)
        return index

    def _recover(self) -> list[str]:
        folders = [f for f in sorted((self.root / layout.RECORDING).iterdir()) if f.is_dir()]
        return [self._finish(f) for f in folders if not f.name.startswith(_DAMAGED)]

    def _finish(self, folder: Path) -> str:
        before = self._index.episodes
        if not (folder / "rows.arrows").exists():
            finalize_episode(folder, self._index)  # forgets it
            return "an episode that was interrupted before its first frame is gone"
        try:
            ended = EndedEpisode.interrupted(folder)
        except DatasetError as error:
            return _put_aside(folder, error)
        self._ended.append(ended)
        try:
            self._add_ended()
        except DatasetError as error:  # it waits for room, or is set aside
            return str(error)
        number = ended.number
        if number is None:
            return "an episode that was interrupted before its first frame is gone"
        if number < before:
            return f"episode {number} was complete"
        record = self._index.last_record()
        assert record is not None
        success = "unknown" if record.success is None else str(record.success).lower()
        return (
            f"episode {number} was interrupted and has been recovered: {record.lost_frames} "
            f"frames lost at its end, success {success}"
        )

    def _open_episode(self) -> OpenEpisode:
        if self._episode is None:
            raise DatasetError("no episode is open; start one first")
        return self._episode

    def _check_room(self) -> None:
        self._room.check(self._episode.folder if self._episode else None)


def _put_aside(folder: Path, error: DatasetError) -> str:
    aside = folder.rename(folder.with_name(_DAMAGED + folder.name))
    return f"an episode cannot be read and was set aside as {aside}: {error}"


def _must_be_empty(root: Path) -> None:
    if (root / layout.INFO).exists():
        raise DatasetError(
            f"{root} is a dataset that robot_vision did not make: no {layout.OURS}, which says "
            "what its numbers mean; record into a new folder"
        )
    if root.exists() and any(entry.name != layout.RECORDING.name for entry in root.iterdir()):
        raise DatasetError(f"{root} is not empty and not a dataset; give a new folder")
