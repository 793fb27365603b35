"""Files that the `similar` commands write: sheets of pictures, lists of groups and of new ones."""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from robot_vision.terminal import Screen

if TYPE_CHECKING:
    from robot_vision.similar.searching.duplicates import Group
    from robot_vision.similar.searching.novelty import Judged
    from robot_vision.similar.sheets import Tile
    from robot_vision.similar.store import Index

MOST_LISTED = 30
"""Groups, or new pictures, in a table and on a sheet."""


def tile(opened: "Index", row: int, word: str) -> "Tile":
    """A picture of the index with a word and its name below."""
    from robot_vision.similar.sheets import Tile, decoded

    return Tile(rgb=decoded(opened.thumbnail(row)), lines=(word, opened.name(row)))


def rows_of_groups(opened: "Index", groups: "Sequence[Group]") -> "list[list[Tile]]":
    """A row for each group: the picture that is kept, and the first of the others."""
    return [
        [
            tile(opened, int(row), "kept" if row == group.kept else "")
            for row in [group.kept, *group.others[:7]]
        ]
        for group in groups
    ]


def rows_of_new(opened: "Index", new: "Sequence[Judged]") -> "list[list[Tile]]":
    """New pictures, each beside the nearest one of the index."""
    from robot_vision.similar.sheets import Tile, decoded

    return [
        [
            Tile(rgb=decoded(one.thumbnail), lines=(f"{one.distance:.3f}", one.name)),
            tile(opened, one.nearest, "nearest known"),
        ]
        for one in new
    ]


def write_rows(sheet: Path | None, rows: "Sequence[Sequence[Tile]]") -> None:
    """A JPEG of the rows if there is a file for it."""
    from robot_vision.similar.sheets import write_sheet

    if sheet is not None:
        write_sheet(sheet, rows)
        Screen().print(f"written: {sheet}")


def write_groups(out: Path, opened: "Index", groups: "Sequence[Group]") -> None:
    """A CSV row per picture of each group, first the one that is kept."""
    from robot_vision.similar.ask import neighbour

    def rows() -> Iterable[list[Any]]:
        for number, group in enumerate(groups):
            members = [(group.kept, 1.0), *zip(group.others, group.similarity, strict=True)]
            for place, (row, cosine) in enumerate(members):
                one = neighbour(opened, int(row), float(cosine))
                yield [number, one.source, one.name, f"{cosine:.5f}", not place]

    _write_csv(out, ["group", "source", "frame", "cosine", "kept"], rows())


def write_judged(out: Path, judged: "Sequence[Judged]", *, share: float) -> None:
    """A CSV row per picture, new or not."""
    rows = (
        [one.source, one.name, f"{one.distance:.5f}", f"{one.share:.4f}", one.share >= share]
        for one in judged
    )
    _write_csv(out, ["source", "frame", "distance", "farther_than", "novel"], rows)


def _write_csv(out: Path, heads: list[str], rows: Iterable[list[Any]]) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(heads)
        writer.writerows(rows)
    Screen().print(f"written: {out}")
