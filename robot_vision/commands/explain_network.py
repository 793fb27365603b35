"""`robot-vision explain layers`, `features` and more: what a network consists of."""

from pathlib import Path
from typing import Annotated, Any

import typer

from robot_vision.commands.explain_options import (
    Frame,
    Model,
    Out,
    Size,
    Source,
    Topic,
    subject_named,
    unasked,
)
from robot_vision.commands.sizes import size_px


def register(explain_app: typer.Typer) -> None:
    """Add these to the `explain` commands."""
    for command in (layers, features, receptive_field, weights, architecture):
        explain_app.command(command.__name__.replace("_", "-"))(command)


def layers(model: Model, source: Source, size: Size = "", rgb_topic: Topic = "") -> None:
    """List layers with spatial maps, in order of execution."""
    from robot_vision.explain.inside.feature_maps import layers_of
    from robot_vision.terminal import Screen

    _, question = unasked(model, source, 0, size, rgb_topic)
    Screen().print("\n".join(layers_of(question)))


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

    rgb, question = unasked(model, source, frame, size, rgb_topic)
    tiles = feature_tiles(question, layer, count=count)
    out.parent.mkdir(parents=True, exist_ok=True)
    write_tiles(out, [tile(rgb, layer[-32:]), *tiles], columns=6)
    Screen().print(f"written: {out}")


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

    _, question = unasked(model, source, 0, size, rgb_topic)
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


def _fresh(model: str, size_text: str) -> Any:
    """A registered model with fresh weights, which suffices to draw its modules."""
    from robot_vision.explain.opening.subject import checked_size, fresh_subject
    from robot_vision.models.card import Size
    from robot_vision.models.registry import MODELS

    card, (width_px, height_px) = MODELS.get(model), size_px(size_text or "416x320")
    size = Size(width_px=width_px, height_px=height_px)
    return checked_size(fresh_subject(card, card.spec, size=size))
