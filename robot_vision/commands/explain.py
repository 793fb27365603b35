"""`robot-vision explain …`: what a model or a policy looks at."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from robot_vision.commands import explain_network
from robot_vision.commands.default_group import DefaultGroup
from robot_vision.commands.explain_options import (
    Cache,
    Frame,
    Layer,
    Model,
    Out,
    Size,
    Source,
    Target,
    Topic,
    question_of,
)

if TYPE_CHECKING:
    from robot_vision.explain.question import Question


class _Group(DefaultGroup):
    default = "picture"


app = typer.Typer(
    cls=_Group, no_args_is_help=True, help="What a model looks at, and its structure."
)


@app.command()
def picture(
    model: Model,
    source: Source,
    way: Annotated[
        list[str] | None, typer.Option(help="`explain ways` lists them; repeatable")
    ] = None,
    target: Target = "",
    layer: Layer = "",
    frame: Frame = 0,
    size: Size = "",
    rgb_topic: Topic = "",
    check: Annotated[
        bool, typer.Option(help="reject maps whose regions matter no more than others")
    ] = True,
    out: Out = Path("out/why.png"),
) -> None:
    """Maps of what a model looks at in a picture, side by side; the word `picture` may be
    omitted."""
    from robot_vision.explain.answer import answered, usual_ways
    from robot_vision.terminal import Screen

    rgb, question = question_of(model, source, target, layer, frame, size, rgb_topic)
    answers = answered(question, way or usual_ways(question), is_checked=check)
    _show(Screen(), rgb, question, answers, out)


@app.command()
def policy(
    run: Annotated[
        str, typer.Argument(help="run of task `demonstrations`, or bundle of kind `pixels`")
    ],
    dataset: Annotated[str, typer.Argument(help="set of episodes")],
    row: Annotated[int, typer.Option(help="row of the dataset, from 0", min=0)] = 0,
    camera: Annotated[str, typer.Option(help="name of the camera; default: the first")] = "",
    way: Annotated[
        list[str] | None, typer.Option(help="`explain ways` lists them; repeatable")
    ] = None,
    target: Annotated[
        str, typer.Option(help="action[:STEP,NAME]; empty: the largest that moves")
    ] = "",
    word: Annotated[str, typer.Option(help="of the instruction: where it looks")] = "",
    layer: Layer = "",
    check: Annotated[
        bool, typer.Option(help="reject maps whose regions matter no more than others")
    ] = True,
    cache: Cache = "",
    out: Out = Path("out/why.png"),
) -> None:
    """What a policy from pixels, and the words of its instruction, attend to."""
    from robot_vision.explain.answer import answered, usual_ways
    from robot_vision.explain.heat import ExplainError
    from robot_vision.explain.opening.policy import open_moment, word_weights
    from robot_vision.terminal import Screen

    moment = open_moment(run, dataset, row=row, cache_dir=cache)
    question = moment.asked(target, camera=camera, word=word, layer=layer)
    screen = Screen()
    screen.print(f"instruction: {' '.join(moment.words) or 'nothing'}")
    try:
        found = word_weights(question, moment.words) if moment.words else []
        shares = ", ".join(f"{name} {share:.2f}" for name, share in found)
        screen.print(f"attention from image regions to words: {shares or 'none'}")
    except ExplainError as error:
        screen.print(f"words: {error}", soft_wrap=True)
    answers = answered(question, way or usual_ways(question), is_checked=check)
    _show(screen, moment.rgb(question), question, answers, out)


@app.command()
def ways() -> None:
    """List the methods: what they need, what they show, and their papers."""
    from rich.table import Column, Table

    from robot_vision.explain.question import WAYS
    from robot_vision.terminal import Screen

    table = Table(
        Column("way", no_wrap=True),
        "needs",
        "of a target",
        "about",
        Column("paper", overflow="fold"),
    )
    for name in WAYS:
        one = WAYS.get(name)
        table.add_row(name, one.needs, "yes" if one.is_of_target else "no", one.about, one.paper)
    Screen().print(table)


explain_network.register(app)


def _show(screen: Any, rgb: Any, question: "Question", answers: Any, out: Path) -> None:
    """Print the text and write the maps; raises `ExplainError` if there is no map."""
    from robot_vision.explain.answer import side_by_side
    from robot_vision.explain.heat import ExplainError
    from robot_vision.training.metrics.tiles import write_tiles

    screen.print(f"{question.subject.name} says {question.target.words}")
    for one in answers:
        words = one.refused or "; ".join(part for part in (one.about, one.checked) if part)
        screen.print(f"{one.way}: {'REFUSED: ' if one.refused else ''}{words}", soft_wrap=True)
    if all(one.refused for one in answers):
        raise ExplainError("every map was rejected; nothing was written")
    out.parent.mkdir(parents=True, exist_ok=True)
    tiles = side_by_side(rgb, question, answers)
    write_tiles(out, tiles, columns=len(tiles))
    screen.print(f"written: {out}")
