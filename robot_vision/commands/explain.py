"""`robot-vision explain …`: what a model looks at, and what it is made of."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from robot_vision.commands.default_group import DefaultGroup
from robot_vision.commands.sizes import size_px

if TYPE_CHECKING:
    from robot_vision.explain.question import Question


class _Group(DefaultGroup):
    default = "picture"


app = typer.Typer(
    cls=_Group, no_args_is_help=True, help="What a model looks at, and its structure."
)

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

    rgb, question = _question(model, source, target, layer, frame, size, rgb_topic)
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


@app.command()
def layers(model: Model, source: Source, size: Size = "", rgb_topic: Topic = "") -> None:
    """List layers with spatial maps, in order of execution."""
    from robot_vision.explain.inside.feature_maps import layers_of
    from robot_vision.terminal import Screen

    _, question = _question(model, source, "", "", 0, size, rgb_topic)
    Screen().print("\n".join(layers_of(question)))


@app.command()
def features(
    model: Model,
    source: Source,
    layer: Annotated[str, typer.Option(help="`explain layers` lists them")],
    count: Annotated[int, typer.Option(help="number of channels to draw", min=1, max=512)] = 24,
    frame: Frame = 0,
    size: Size = "",
    rgb_topic: Topic = "",
    out: Out = Path("out/features.png"),
) -> None:
    """Channels of a layer for a picture, those with the largest variance first."""
    from robot_vision.explain.drawing import tile
    from robot_vision.explain.inside.feature_maps import feature_tiles
    from robot_vision.terminal import Screen
    from robot_vision.training.metrics.tiles import write_tiles

    rgb, question = _question(model, source, "", "", frame, size, rgb_topic)
    tiles = feature_tiles(question, layer, count=count)
    out.parent.mkdir(parents=True, exist_ok=True)
    write_tiles(out, [tile(rgb, layer[-32:]), *tiles], columns=6)
    Screen().print(f"written: {out}")


@app.command("receptive-field")
def receptive_field(
    model: Model,
    source: Source,
    layer: Annotated[
        list[str] | None, typer.Option(help="repeatable; default: the last of each stride")
    ] = None,
    size: Size = "",
    rgb_topic: Topic = "",
) -> None:
    """The receptive field of a layer's central cell, and the region with 90 % of its gradient."""
    from rich.table import Table

    from robot_vision.explain.inside.receptive_field import fields
    from robot_vision.terminal import Screen

    _, question = _question(model, source, "", "", 0, size, rgb_topic)
    network = question.subject.network(wanted_for="receptive fields")
    shown = question.inputs[question.picture]

    def call(pixels: Any) -> Any:
        return question.subject.run(question.with_pictures(pixels))

    table = Table("layer", "cells", "stride px", "theoretical px", "effective px (90 %)")
    for one in fields(network, call, [shown], layers=layer or ()):
        can = "all" if one.sees_all else f"{one.can_px[0]}×{one.can_px[1]}"
        does = f"{one.does_px[0]}×{one.does_px[1]}"
        table.add_row(one.layer, f"{one.columns}×{one.rows}", f"{one.stride_px:g}", can, does)
    Screen().print(table)


@app.command()
def weights(
    model: Model,
    sources: Annotated[
        list[str] | None,
        typer.Argument(help="pictures for activations; more give better statistics"),
    ] = None,
    size: Size = "",
    out: Annotated[Path | None, typer.Option(help="PNG for histograms")] = None,
) -> None:
    """Statistics of each layer's weights; with pictures, also dead channels and saturation."""
    from rich.table import Column, Table

    from robot_vision.explain.inside.weights import activations_of, draw_histograms, weights_of
    from robot_vision.explain.opening.sources import one_picture
    from robot_vision.replay.reading.bag import BagOptions
    from robot_vision.terminal import Screen

    subject = subject_named(model, size)
    network = subject.network(wanted_for="weights")
    screen = Screen()
    table = Table(
        Column("weights of", overflow="fold"),
        "number",
        "mean",
        "deviation",
        "largest",
        "zero rows",
    )
    found = weights_of(network)
    for one in found:
        figures = (f"{v:.3g}" for v in (one.mean, one.deviation, one.largest))
        table.add_row(one.layer, str(one.count), *figures, f"{one.zero_rows} of {one.rows}")
    screen.print(table)
    seen = []
    for source in sources or ():
        shown = one_picture(source, frame=0, options=BagOptions())
        inputs, _ = subject.prepared(shown.rgb, shown.depth_m, shown.camera)
        seen.append(inputs)
    active = activations_of(network, [lambda x=x: subject.run(x) for x in seen]) if seen else []
    if active:
        table = Table(
            Column("activations of", overflow="fold"),
            "kind",
            "dead channels",
            "saturated",
            "lowest",
            "highest",
        )
        for one in active:
            range_ = (f"{one.lowest:.3g}", f"{one.highest:.3g}")
            dead = f"{one.dead} of {one.channels}"
            table.add_row(one.layer, one.module, dead, f"{one.saturated:.1%}", *range_)
        screen.print(table)
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        draw_histograms(out, found, active)
        screen.print(f"written: {out}")


@app.command()
def architecture(
    model: Annotated[str, typer.Argument(help="run, bundle, or model of `models architectures`")],
    depth: Annotated[int, typer.Option(help="depth of the module tree to draw", min=1)] = 3,
    size: Size = "",
    out: Annotated[Path, typer.Option(help="SVG file to write")] = Path("out/architecture.svg"),
) -> None:
    """Draw the architecture: modules, shapes, parameters."""
    from robot_vision.explain.inside.architecture import draw_architecture, follow
    from robot_vision.explain.opening.subject import example_of
    from robot_vision.models.registry import MODELS
    from robot_vision.terminal import Screen

    subject = _fresh(model, size) if model in MODELS else subject_named(model, size)
    network = subject.network(wanted_for="its architecture")
    nodes = follow(network, lambda: subject.run(example_of(subject)), depth=depth)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(draw_architecture(nodes, title=subject.name), encoding="utf-8")
    Screen().print(f"{len(nodes)} modules; written: {out}")


def _fresh(model: str, size: str) -> Any:
    """A registered model with fresh weights, which suffices to draw its modules."""
    from robot_vision.explain.opening.subject import fresh_subject
    from robot_vision.models.card import Size
    from robot_vision.models.registry import MODELS

    card, (width_px, height_px) = MODELS.get(model), size_px(size or "416x320")
    return fresh_subject(card, card.spec, size=Size(width_px=width_px, height_px=height_px))


def subject_named(model: str, size: str) -> Any:
    """The run or bundle of that name; `size` in words, empty for its own."""
    from robot_vision.explain.opening.subject import open_subject
    from robot_vision.models.card import Size

    wanted = size_px(size) if size else None
    return open_subject(
        model, size=Size(width_px=wanted[0], height_px=wanted[1]) if wanted else None
    )


def _question(
    model: str, source: str, target: str, layer: str, frame: int, size: str, rgb_topic: str
) -> "tuple[Any, Question]":
    from robot_vision.explain.asking import ask
    from robot_vision.explain.opening.sources import one_picture
    from robot_vision.replay.reading.bag import BagOptions
    from robot_vision.replay.reading.discovery import Topics

    options = BagOptions(topics=Topics(rgb=rgb_topic))
    shown = one_picture(source, frame=frame, options=options)
    question = ask(
        subject_named(model, size),
        shown.rgb,
        target,
        depth_m=shown.depth_m,
        camera=shown.camera,
        layer=layer,
    )
    return shown.rgb, question


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
