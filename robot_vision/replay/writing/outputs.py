"""Per-frame output of a replay: a table of tracks, results as MCAP, pictures for the report."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from robot_vision.core.files.disk import writing_to
from robot_vision.core.parameters.groups.points_config import PointsConfig
from robot_vision.replay.reporting.track_log import Switch
from robot_vision.replay.running.feeding import MOST_WAITING_BYTES, WriteBehind
from robot_vision.replay.running.runner import Processed
from robot_vision.replay.writing.mcap_out import McapOutput
from robot_vision.replay.writing.recorded import StepsTable
from robot_vision.replay.writing.tables import open_table
from robot_vision.replay.writing.thumbnails import Thumbnail, Thumbnails
from robot_vision.replay.writing.tracks_table import COLUMNS, track_rows

Images = Literal["none", "depth", "all"]
TracksFormat = Literal["csv", "parquet"]
WAITING_FRAMES = 8


@dataclass(frozen=True, kw_only=True, eq=False)
class _Entry:
    done: Processed
    new_ids: list[int]
    switched: bool


class Outputs:
    """Writes frames in a separate thread; nothing without a folder."""

    def __init__(self, behind: "WriteBehind[_Entry] | None", thumbnails: Thumbnails) -> None:
        self._behind = behind
        self._thumbnails = thumbnails

    def add(self, done: Processed, *, new_ids: list[int], switches: Sequence[Switch]) -> None:
        if self._behind is not None:
            switched = bool(switches) and switches[-1].frame == done.number
            self._behind.put(_Entry(done=done, new_ids=new_ids, switched=switched))

    def thumbnails(self) -> list[Thumbnail]:
        """Selected pictures; complete only after `open_outputs` has exited."""
        return self._thumbnails.chosen()


@contextmanager
def open_outputs(
    out: Path | None,
    *,
    images: Images,
    tracks_format: TracksFormat,
    points: PointsConfig | None = None,
) -> Iterator[Outputs]:
    """Outputs in the folder `out`, closed at the end even if the replay fails.

    `points`: settings of point clouds; None writes none.
    """
    thumbnails = Thumbnails()
    if out is None:
        yield Outputs(None, thumbnails)
        return
    out.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        tracks = out / f"tracks.{tracks_format}"
        table = stack.enter_context(open_table(tracks, COLUMNS))
        steps = stack.enter_context(StepsTable(out / f"steps.{tracks_format}"))
        mcap = stack.enter_context(
            McapOutput(out / "perception.mcap", images=images, points=points)
        )

        def write(entry: _Entry) -> None:
            with writing_to(tracks):
                table.add(track_rows(entry.done))
                steps.add(entry.done)
            mcap.add(entry.done)
            thumbnails.add(entry.done, new_ids=entry.new_ids, switched=entry.switched)

        behind = WriteBehind(
            write,
            size=WAITING_FRAMES,
            weigh=lambda entry: entry.done.perception.frame.nbytes,
            most_bytes=MOST_WAITING_BYTES,
        )
        yield Outputs(stack.enter_context(behind), thumbnails)
