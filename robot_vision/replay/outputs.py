"""What a replay writes frame by frame: a table of tracks, answers as MCAP, pictures to show."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Literal

from robot_vision.replay.mcap_out import McapOutput
from robot_vision.replay.runner import Processed
from robot_vision.replay.thumbnails import Thumbnail, Thumbnails
from robot_vision.replay.track_log import Switch
from robot_vision.replay.tracks_table import TracksTable, open_table

Images = Literal["none", "depth", "all"]


class Outputs:
    """Where frames are written to; nowhere if there is no folder."""

    def __init__(
        self,
        *,
        table: TracksTable | None = None,
        mcap: McapOutput | None = None,
        thumbnails: Thumbnails | None = None,
    ) -> None:
        self._table = table
        self._mcap = mcap
        self._thumbnails = thumbnails

    def add(self, done: Processed, *, new_ids: list[int], switches: Sequence[Switch]) -> None:
        if self._table is not None:
            self._table.add(done)
        if self._mcap is not None:
            self._mcap.add(done)
        if self._thumbnails is not None:
            switched = bool(switches) and switches[-1].frame == done.number
            self._thumbnails.add(done, new_ids=new_ids, switched=switched)

    def thumbnails(self) -> list[Thumbnail]:
        return self._thumbnails.chosen() if self._thumbnails is not None else []


@contextmanager
def open_outputs(
    out: Path | None, *, images: Images, tracks_format: Literal["csv", "parquet"]
) -> Iterator[Outputs]:
    """Outputs in the folder `out`, closed at the end also when the replay fails."""
    if out is None:
        yield Outputs()
        return
    out.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        table = stack.enter_context(open_table(out / f"tracks.{tracks_format}"))
        mcap = stack.enter_context(McapOutput(out / "perception.mcap", images=images))
        yield Outputs(table=table, mcap=mcap, thumbnails=Thumbnails())
