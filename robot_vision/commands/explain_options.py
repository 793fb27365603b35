"""Options shared by the `explain` commands, and the model and question that they select."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from robot_vision.commands.sizes import size_px

if TYPE_CHECKING:
    from robot_vision.explain.question import Question

Model = Annotated[str, typer.Argument(help="run or bundle: a name in the store or a folder")]
Source = Annotated[
    str, typer.Argument(help="picture, recording, dataset, video, 0, /dev/video0 or rtsp://…")
]
Target = Annotated[
    str,
    typer.Option(
        help="class[:NAME], box[:NAME or :X,Y], action[:STEP,NAME], depth[:X,Y]; empty: the surest"
    ),
]
Layer = Annotated[str, typer.Option(help="`explain layers` lists them; empty: chosen")]
Frame = Annotated[int, typer.Option(help="of a recording, dataset or video, from 0", min=0)]
Size = Annotated[str, typer.Option(help="416x320, of the network's input; default: its own")]
Topic = Annotated[str, typer.Option(help="colour images of a recording; found if not given")]
Cache = Annotated[
    str, typer.Option(help="folder of decoded pictures; default: the recipe's, or data/cache")
]
Out = Annotated[Path, typer.Option(help="PNG to write")]


def subject_named(model: str, size: str) -> Any:
    """The run or bundle of that name; `size` as text, empty for its own."""
    from robot_vision.explain.opening.subject import open_subject
    from robot_vision.models.card import Size

    wanted = size_px(size) if size else None
    return open_subject(
        model, size=Size(width_px=wanted[0], height_px=wanted[1]) if wanted else None
    )


def unasked(
    model: str, source: str, frame: int, size: str, rgb_topic: str
) -> "tuple[Any, Question]":
    """The source's picture in the model, without a target."""
    from robot_vision.explain.inside.unasked import ask_nothing

    shown, subject = _picture(source, frame, rgb_topic), subject_named(model, size)
    return shown.rgb, ask_nothing(subject, shown.rgb, depth_m=shown.depth_m, camera=shown.camera)


def question_of(
    model: str, source: str, target: str, layer: str, frame: int, size: str, rgb_topic: str
) -> "tuple[Any, Question]":
    """The source's picture, and the question about it."""
    from robot_vision.explain.asking import ask

    shown = _picture(source, frame, rgb_topic)
    question = ask(
        subject_named(model, size),
        shown.rgb,
        target,
        depth_m=shown.depth_m,
        camera=shown.camera,
        layer=layer,
    )
    return shown.rgb, question


def _picture(source: str, frame: int, rgb_topic: str) -> Any:
    from robot_vision.explain.opening.sources import one_picture
    from robot_vision.replay.reading.bag import BagOptions
    from robot_vision.replay.reading.discovery import Topics

    return one_picture(source, frame=frame, options=BagOptions(topics=Topics(rgb=rgb_topic)))
