"""`robot-vision segment`: masks of the objects pointed at in a picture, or of everything in it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from robot_vision.core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from robot_vision.segment.masks import Segment
    from robot_vision.segment.segmenter import Embedding, Segmenter

Model = Annotated[str, typer.Option(help="bundle with segmenter.yaml: a name or a folder")]
_XY, _CORNERS = 2, 4


def register(app: typer.Typer) -> None:
    """Add `segment` to the command line."""
    app.command(
        epilog="Example: robot-vision segment desk.jpg --model bundles/sam --point 320,240"
    )(segment)


def segment(
    picture: Annotated[Path, typer.Argument(help="PNG, JPEG or WebP")],
    model: Model,
    point: Annotated[
        list[str] | None, typer.Option(help="x,y on the object, in pixels; repeatable")
    ] = None,
    not_: Annotated[
        list[str] | None, typer.Option("--not", help="x,y not on the object; repeatable")
    ] = None,
    box: Annotated[
        list[str] | None,
        typer.Option(help="left,top,right,bottom around it; one object per box"),
    ] = None,
    mask: Annotated[
        Path | None, typer.Option(help="logits.npy of an earlier answer to correct")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--everything", help="segment everything, without prompts")
    ] = False,
    points_per_side: Annotated[
        int,
        typer.Option(min=1, max=128, help="points per side of the prompt grid of --everything"),
    ] = 32,
    least_score: Annotated[
        float, typer.Option(min=0, max=1, help="lowest score of masks that --everything keeps")
    ] = 0.88,
    least_stability: Annotated[
        float, typer.Option(min=0, max=1, help="lowest stability of masks that --everything keeps")
    ] = 0.95,
    all_masks: Annotated[
        bool,
        typer.Option("--all", help="write every plausible mask of a prompt, not only the best"),
    ] = False,
    out: Annotated[
        Path, typer.Option(help="folder for segments.json, mask.png, overlay.png, logits.npy")
    ] = Path("segments"),
    device: Annotated[str, typer.Option(help="auto, cpu or cuda")] = "auto",
    threads: Annotated[int, typer.Option(min=0, help="threads on the CPU; 0: all cores")] = 0,
) -> None:
    """Segment the objects pointed at in a picture.

    A single point may mean several masks (an object, a part of it): the best by the model's own
    score is written, or --all of them.
    """
    import cv2

    from robot_vision.codecs.bounded import read_image
    from robot_vision.model_store.segmenters import find_segmenter
    from robot_vision.segment.everything import EverythingOptions, segment_everything
    from robot_vision.segment.segmenter import Segmenter

    rgb = read_image(picture, cv2.IMREAD_COLOR_RGB)
    segmenter = Segmenter(find_segmenter(model), device=device, threads=threads)
    embedding = segmenter.embed(rgb)
    given = (point or [], not_ or [], box or [])
    if everything:
        if any(given) or mask is not None:
            raise ConfigError("--everything takes no prompts: leave out points, boxes and --mask")
        options = EverythingOptions(
            points_per_side=points_per_side,
            least_score=least_score,
            least_stability=least_stability,
        )
        found = list(segment_everything(segmenter, embedding, options))
    else:
        found = _prompted(segmenter, embedding, given, mask=mask, all_masks=all_masks)
    _write(out, rgb, found, model_id=segmenter.manifest.model_id)
    _say(found, segmenter, out)


def _prompted(
    segmenter: "Segmenter",
    embedding: "Embedding",
    given: tuple[list[str], list[str], list[str]],
    *,
    mask: Path | None,
    all_masks: bool,
) -> "list[Segment]":
    from robot_vision.segment.prompt import make_prompt

    points, not_points, boxes = given
    on = [_xy(text, "--point") for text in points]
    off = [_xy(text, "--not") for text in not_points]
    corners = [_corners(text) for text in boxes]
    if len(corners) > 1 and (on or off or mask is not None):
        raise ConfigError(
            f"{len(corners)} boxes mean as many objects, but points and --mask refer to one: "
            "segment them one at a time"
        )
    logits = None if mask is None else _read_logits(mask)
    prompts = [
        make_prompt(points=on, not_points=off, box=one, mask_logits=logits)
        for one in (corners or [None])
    ]
    several = True if all_masks else None
    answers = [segmenter.segment(embedding, prompt, several=several) for prompt in prompts]
    return [one for answer in answers for one in (answer if all_masks else answer[:1])]


def _numbers(text: str, option: str, *, count: int, what: str) -> tuple[float, ...]:
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError:
        numbers = ()
    if len(numbers) != count:
        raise ConfigError(f"{option} {text!r}; expected {what} in pixels, such as 320,240")
    return numbers


def _xy(text: str, option: str) -> tuple[float, float]:
    x, y = _numbers(text, option, count=_XY, what="x,y")
    return x, y


def _corners(text: str) -> tuple[float, float, float, float]:
    left, top, right, bottom = _numbers(
        text, "--box", count=_CORNERS, what="left,top,right,bottom"
    )
    return left, top, right, bottom


def _read_logits(file: Path) -> "np.ndarray":
    import numpy as np

    try:
        found = np.load(file)
    except (OSError, ValueError) as error:
        raise ConfigError(f"--mask {file} cannot be read as logits.npy: {error}") from error
    square = 2
    if not isinstance(found, np.ndarray) or found.ndim != square or found.dtype != np.float32:
        raise ConfigError(f"--mask {file} is not the logits.npy of an answer; expected f32 [h, w]")
    return found


def _write(out: Path, rgb: "np.ndarray", found: "Sequence[Segment]", *, model_id: str) -> None:
    import json

    import cv2
    import numpy as np

    from robot_vision.segment.output import MOST_LABELS, described, label_image, painted

    out.mkdir(parents=True, exist_ok=True)
    segments = list(found)
    described_all = [described(one, run_lengths=True) for one in segments]
    answer = {
        "model": model_id,
        "width_px": rgb.shape[1],
        "height_px": rgb.shape[0],
        "segments": described_all,
    }
    (out / "segments.json").write_text(json.dumps(answer), encoding="utf-8")
    if not segments:
        return
    best = segments[:MOST_LABELS]
    labels = label_image(best)
    # A single mask is white, to be visible; several masks have their numbers as values.
    cv2.imwrite(str(out / "mask.png"), labels * 255 if len(best) == 1 else labels)
    cv2.imwrite(str(out / "overlay.png"), painted(rgb, segments)[:, :, ::-1])
    np.save(out / "logits.npy", segments[0].logits)


def _say(found: "Sequence[Segment]", segmenter: "Segmenter", out: Path) -> None:
    from rich.table import Table

    from robot_vision.terminal import Screen

    console = Screen()
    table = Table("segment", "score", "stability", "area, px", "box, px")
    for number, one in enumerate(found[:20], start=1):
        box = ", ".join(f"{value:.0f}" for value in one.box_xyxy_px)
        table.add_row(
            str(number), f"{one.score:.3f}", f"{one.stability:.3f}", str(one.area_px), box
        )
    console.print(table)
    console.print(
        f"{segmenter.manifest.model_id} on {segmenter.provider}: {len(found)} segments, in {out}"
    )
