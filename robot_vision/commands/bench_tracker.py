"""`robot-vision bench tracker`: trackers side by side on the same detections."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from robot_vision.commands.json_file import MaybeJsonFile, write_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from robot_vision.bench.tracking.tracker_sequences import Sequence

TUD_CAMPUS = Path("../shared/data/mot/TUD-Campus")

Mot = Annotated[list[Path] | None, typer.Option(help="MOTChallenge sequence folder; repeatable")]
ImageSize = Annotated[
    str,
    typer.Option(help="WIDTHxHEIGHT of --mot in px; default: from seqinfo.ini or img1"),
]
Scene = Annotated[
    list[str] | None,
    typer.Option(help="name of a generated scene to run; repeatable; default: all"),
]
Seeds = Annotated[int, typer.Option(help="seeds per generated scene; 0: none", min=0)]
FirstSeed = Annotated[int, typer.Option(help="the first of these seeds", min=0)]
ByParts = Annotated[
    bool,
    typer.Option("--by-parts", help="subsample to a half and a third instead of 15 and 8 FPS"),
]
Frames = Annotated[int, typer.Option(help="frames of the memory test", min=0)]


def register(bench_app: typer.Typer) -> None:
    """Add `tracker` to the `bench` commands."""
    bench_app.command("tracker")(tracker)


def tracker(
    mot: Mot = None,
    image_size: ImageSize = "",
    scene: Scene = None,
    seeds: Seeds = 3,
    first_seed: FirstSeed = 0,
    by_parts: ByParts = False,
    frames: Frames = 0,
    out: MaybeJsonFile = None,
) -> None:
    """HOTA, MOTA, IDF1 and id switches against other trackers; errors in 3-D; speed; memory.

    Without `--mot`, TUD-Campus is used from ../shared/data if present.
    """
    from robot_vision.bench.tracking import tracker as bench
    from robot_vision.machine import describe_machine
    from robot_vision.terminal import Screen, styled

    console = Screen()
    folders = list(mot or ([TUD_CAMPUS] if TUD_CAMPUS.is_dir() and not scene else []))
    result: dict[str, Any] = {"machine": describe_machine(), "sets": {}}
    drawn = range(first_seed, first_seed + seeds)
    for name, sequences in _sets(folders, scene, seeds=drawn, image_size_px=_size_px(image_size)):
        console.print(styled(name, "bold").append(f", {len(sequences)} sequence(s)", ""))
        for note in dict.fromkeys(note for sequence in sequences for note in sequence.notes):
            console.print(note)
        scores = bench.compare(sequences, by_parts=by_parts)
        console.print(_table(scores))
        points = bench.point_errors(sequences)
        if points:
            console.print("errors 0.5 to 2 m away:", points)
        result["sets"][name] = {"scores": scores, "points": points}
    result["update_ms"] = {str(n): bench.speed_ms(n) for n in (20, 200)}
    if frames:
        result["soak"] = bench.soak(frames)
    for part in ("update_ms", "soak"):
        if part in result:
            console.print(part, result[part])
    write_json(out, result)


def _sets(
    folders: list[Path],
    scenes: list[str] | None,
    *,
    seeds: range,
    image_size_px: tuple[int, int] | None,
) -> "Iterator[tuple[str, list[Sequence]]]":
    from robot_vision.bench.tracking.mot import read_mot_sequence
    from robot_vision.bench.tracking.tracker import build_set
    from robot_vision.bench.tracking.tracker_scenes import SCENES

    for folder in folders:
        yield folder.name, [read_mot_sequence(folder, image_size_px=image_size_px)]
    for name in (scenes or SCENES) if seeds else ():
        yield name, build_set(name, seeds=seeds)


def _size_px(text: str) -> tuple[int, int] | None:
    """Width and height from `640x480`; None for an empty text."""
    if not text:
        return None
    width, _, height = text.lower().partition("x")
    if not (width.isdigit() and height.isdigit() and int(width) and int(height)):
        raise typer.BadParameter(f"{text!r}; expected WIDTHxHEIGHT, such as 640x480")
    return int(width), int(height)


def _table(scores: dict[str, dict[str, dict[str, float]]]) -> Any:
    from rich.table import Table

    table = Table("frames", "tracker", "HOTA", "MOTA", "IDF1", "switches", box=None)
    for variant, trackers in scores.items():
        best = max(trackers, key=lambda name: trackers[name]["hota"])
        for name, one in trackers.items():
            figures = (f"{one[key]:.1f}" for key in ("hota", "mota", "idf1"))
            style = "bold" if name == best else ""
            table.add_row(variant, name, *figures, f"{one['id_switches']:.0f}", style=style)
    return table
