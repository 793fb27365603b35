"""`robot-vision similar regions` and `pca`: cells of pictures compared, without an index."""

from pathlib import Path
from typing import Annotated

import typer

from robot_vision.commands.allow_code import AllowCode
from robot_vision.commands.similar_options import Device, Threads
from robot_vision.core.files.code_permission import permit_code


def register(similar_app: typer.Typer) -> None:
    """Add both to the `similar` commands."""
    similar_app.command("regions")(regions)
    similar_app.command("pca")(pca)


def regions(
    first: Annotated[Path, typer.Argument(help="a picture")],
    second: Annotated[Path, typer.Argument(help="another one")],
    sheet: Annotated[Path, typer.Option(help="JPEG of both with lines between matching regions")],
    model: Annotated[str, typer.Option(help="any bundle with features")] = "native-s",
    count: Annotated[int, typer.Option(help="number of best matches", min=1)] = 30,
    device: Device = "auto",
    threads: Threads = 1,
    allow_code: AllowCode = False,
) -> None:
    """Match regions of two pictures: cells that are mutual nearest neighbours."""
    from robot_vision.similar.embedder import Embedder, EmbedderOptions
    from robot_vision.similar.frames import read_picture
    from robot_vision.similar.searching.regions import match_regions
    from robot_vision.similar.sheets import draw_matches, write_jpeg
    from robot_vision.terminal import Screen

    permit_code(allow_code)
    embedder = Embedder(model, EmbedderOptions(device=device, threads=threads))
    one, other = read_picture(first), read_picture(second)
    features = [embedder.features(rgb) for rgb in (one, other)]
    sizes = (one.shape[1], one.shape[0]), (other.shape[1], other.shape[0])
    matches = match_regions(features[0], features[1], sizes_px=sizes, count=count)
    write_jpeg(sheet, draw_matches(one, other, matches))
    whole = float(features[0].embedding @ features[1].embedding)
    console = Screen()
    console.print(f"whole pictures: cosine {whole:.4f}")
    console.print(
        f"{len(matches.similarity)} pairs of cells, cosine {matches.similarity.min():.3f} to "
        f"{matches.similarity.max():.3f}; written: {sheet}"
    )


def pca(
    pictures: Annotated[list[Path], typer.Argument(help="pictures; all share the same colours")],
    sheet: Annotated[Path, typer.Option(help="JPEG of each picture beside its coloured cells")],
    model: Annotated[str, typer.Option(help="any bundle with features")] = "native-s",
    device: Device = "auto",
    threads: Threads = 1,
    allow_code: AllowCode = False,
) -> None:
    """Colour picture cells by their main differences (PCA): similar parts get similar colours."""
    from robot_vision.similar.embedder import Embedder, EmbedderOptions
    from robot_vision.similar.frames import read_picture
    from robot_vision.similar.searching.components import draw_components, principal_components
    from robot_vision.similar.sheets import stacked, write_jpeg
    from robot_vision.terminal import Screen

    permit_code(allow_code)
    embedder = Embedder(model, EmbedderOptions(device=device, threads=threads))
    shown = [read_picture(path) for path in pictures]
    maps = [embedder.features(rgb) for rgb in shown]
    found = principal_components(maps)
    rows = [
        draw_components(rgb, found.colours(each)) for rgb, each in zip(shown, maps, strict=True)
    ]
    write_jpeg(sheet, stacked(rows))
    shares = ", ".join(f"{share:.0%}" for share in found.explained)
    Screen().print(
        f"red, green and blue explain {shares} of the cells' variance; written: {sheet}"
    )
