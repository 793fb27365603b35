"""An episode that has ended and will join the dataset, now or when there is room."""

from dataclasses import dataclass
from pathlib import Path

from robot_vision.core.files.disk import free_room
from robot_vision.datasets.errors import DatasetError
from robot_vision.datasets.lerobot.files.json_files import read_model
from robot_vision.datasets.lerobot.form.schema import EpisodeRecord
from robot_vision.demonstrations.writing.files import write_json
from robot_vision.demonstrations.writing.finalize_episode import finalize_episode
from robot_vision.demonstrations.writing.index import DatasetIndex
from robot_vision.demonstrations.writing.open_episode import OpenEpisode

_RECORD = "episode.json"


class EpisodeWaitsError(DatasetError):
    """An episode has ended and is kept with its success mark, but there was no room to add it."""


@dataclass(kw_only=True)
class EndedEpisode:
    """`record` has the success mark; `is_marked` says whether it is also on disk."""

    folder: Path
    record: EpisodeRecord
    is_marked: bool
    is_cut_off: bool
    number: int | None = None
    is_added: bool = False

    @classmethod
    def end(
        cls, episode: OpenEpisode, *, success: bool | None, notes: dict[str, int]
    ) -> "EndedEpisode":
        """Mark and close; `add` handles anything that had no room."""
        is_marked = True
        try:
            episode.mark(success=success, notes=notes)
        except OSError:
            is_marked = False
        return cls(
            is_cut_off=bool(episode.close()),
            folder=episode.folder,
            record=episode.record,
            is_marked=is_marked,
        )

    @classmethod
    def recorded(cls, folder: Path) -> "EndedEpisode":
        """An episode that another process marked and closed. Raises `DatasetError`."""
        record = read_model(folder / _RECORD, EpisodeRecord)
        return cls(folder=folder, record=record, is_marked=True, is_cut_off=False)

    @classmethod
    def interrupted(cls, folder: Path) -> "EndedEpisode":
        """An episode that an earlier process left. Raises `DatasetError`."""
        record = read_model(folder / _RECORD, EpisodeRecord)
        return cls(folder=folder, record=record, is_marked=True, is_cut_off=True)

    def add(self, index: DatasetIndex) -> None:
        """Commit; raises `OSError` if there is no room, and can be retried."""
        if not self.is_marked:
            write_json(self.folder / _RECORD, self.record.model_dump())
            self.is_marked = True
        self.number = finalize_episode(self.folder, index, interrupted=self.is_cut_off)
        self.is_added = True

    @property
    def words(self) -> str:
        mark = {True: "success", False: "failure", None: "unknown"}[self.record.success]
        return f"{self.record.instruction!r}, success marked as: {mark}"

    def waits(self, error: OSError, root: Path) -> str:
        """The report if it could not be added."""
        where = f"with its mark in {self.folder}, also if this process ends"
        if not self.is_marked:
            where = f"in {self.folder}, its mark in memory only: do not end this process before"
        return (
            f"an episode ({self.words}) is not part of the dataset yet: {error}; "
            f"{free_room(root)}. It is kept {where}, and is added as soon as there is room"
        )
