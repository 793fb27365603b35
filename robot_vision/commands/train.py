"""`robot-vision train|evaluate|export`: from a recipe to a bundle of the model store."""

import os
from pathlib import Path
from typing import Annotated

import typer

from robot_vision.commands import (
    alignment_evaluation,
    demonstration_evaluation,
    explanation_evaluation,
    policy,
)
from robot_vision.commands.default_group import DefaultGroup
from robot_vision.commands.overrides import Override, parsed
from robot_vision.commands.sizes import size_px

SetFolder = Annotated[
    Path, typer.Option("--data", help="held-out set of any kind: its folder, or FOLDER@PART")
]


def register(app: typer.Typer) -> None:
    """Add the commands. `evaluate` is for perception models, unless another command is named."""
    group = typer.Typer(cls=DefaultGroup, help="Measure a perception model, or a policy.")
    group.command("perception")(evaluate)
    group.command("policy")(policy.evaluate)
    group.command("alignment")(alignment_evaluation.evaluate)
    group.command("demonstrations")(demonstration_evaluation.evaluate)
    group.command("explanations")(explanation_evaluation.evaluate)
    app.add_typer(group, name="evaluate")
    app.command("train")(train)
    app.command("export")(export)
    app.command("collect")(policy.collect)


def train(
    recipe: Annotated[Path, typer.Argument(help="YAML recipe, as in config/recipes")],
    out: Annotated[
        Path | None, typer.Option(help="folder of the run; an existing one is continued")
    ] = None,
    overrides: Override = None,
    find: Annotated[
        str, typer.Option(help="find this instead of training: learning-rate or batch-size")
    ] = "",
) -> None:
    """Train a recipe, or resume an interrupted run.

    Start one process per core on a CPU, or one per GPU: torchrun --nproc-per-node 2 "$(command -v
    robot-vision)" train …
    """
    from robot_vision.core.errors import ConfigError
    from robot_vision.terminal import Screen
    from robot_vision.training.engine.curves import draw_curves
    from robot_vision.training.engine.finding.find import find as run_finder
    from robot_vision.training.engine.loop import train as run_training
    from robot_vision.training.engine.recipes.recipe_file import load_recipe
    from robot_vision.training.engine.report import ConsoleReporter
    from robot_vision.training.engine.run import CURVES, CURVES_PICTURE

    loaded = load_recipe(recipe, parsed(overrides or []))
    if find:
        run_finder(find, loaded, Screen())
        return
    if out is None:
        raise ConfigError("--out is missing: expected the folder of the run")
    with ConsoleReporter() as reporter:
        run_training(loaded, out, reporter=reporter)
    if os.environ.get("RANK", "0") == "0":
        draw_curves(out / CURVES, out / CURVES_PICTURE)


def evaluate(
    model: Annotated[str, typer.Argument(help="bundle: a name or a folder")],
    data: SetFolder,
    out: Annotated[Path, typer.Option(help="folder for metrics and gallery")],
    images: Annotated[int, typer.Option(min=0, help="0: all")] = 0,
    worst: Annotated[int, typer.Option(min=1, help="images in the gallery")] = 20,
    sheet: Annotated[
        Path | None,
        typer.Option(help="JPEG of pictures spread over the set, with ground truth and output"),
    ] = None,
    known: Annotated[
        Path | None, typer.Option(help="for features: labelled set to fit probes on")
    ] = None,
) -> None:
    """Metrics of a bundle on a held-out set, and its errors.

    For slots, without --known, there is only a sheet: their metrics are in the export.
    """
    from robot_vision.export.measuring.measure import has_figures, measure_bundle
    from robot_vision.export.sheets.draw import draw_sheet
    from robot_vision.model_store.store import find_bundle
    from robot_vision.terminal import Screen

    bundle, console = find_bundle(model), Screen()
    if sheet is not None:
        draw_sheet(bundle, data, sheet)
        console.print(f"{sheet}")
        if not has_figures(bundle) and known is None:
            return
    measured = measure_bundle(bundle, data, out=out, images=images, worst=worst, known=known)
    for name, value in measured.metrics.items():
        console.print(f"{name:32} {value}")
    for note in measured.notes:
        console.print(note)
    console.print(", ".join(f"{out}/{name}" for name in measured.files))


def export(
    run: Annotated[Path, typer.Argument(help="folder of a run of `robot-vision train`")],
    out: Annotated[Path, typer.Option(help="folder of the bundle")],
    data: Annotated[
        Path | None, typer.Option(help="held-out set; default: that of the run's recipe")
    ] = None,
    precision: Annotated[str, typer.Option(help="fp32, fp16 or int8")] = "fp32",
    weights: Annotated[str, typer.Option(help="weights of the run: last or best")] = (
        "weights.safetensors"
    ),
    average_with: Annotated[
        Path | None,
        typer.Option(help="weights that the run started from: the mean of both is exported"),
    ] = None,
    version: Annotated[str, typer.Option(help="version of the bundle")] = "1",
    size: Annotated[str, typer.Option(help="416x320; default: that of the run's recipe")] = "",
    evaluation: Annotated[
        Path | None, typer.Option(help="evaluation.json of `robot-vision evaluate policy`")
    ] = None,
    limits: Annotated[str, typer.Option(help="what it cannot do, in plain language")] = "",
    engine: Annotated[
        str, typer.Option(help="onnx, or torch for a policy too large for ONNX")
    ] = "onnx",
    torchscript: Annotated[
        bool,
        typer.Option("--torchscript", help="also write TorchScript, for programs that embed it"),
    ] = False,
) -> None:
    """Write a bundle: ONNX checked against torch on held-out samples, weights, metrics."""
    from typing import cast, get_args

    from robot_vision.core.errors import ConfigError
    from robot_vision.export.bundle import Engine, ExportOptions, Precision, export_run
    from robot_vision.models.card import Size
    from robot_vision.terminal import Screen

    if precision not in get_args(Precision):
        raise ConfigError(f"precision {precision!r}; available: {', '.join(get_args(Precision))}")
    if engine not in get_args(Engine):
        raise ConfigError(f"engine {engine!r}; available: {', '.join(get_args(Engine))}")
    width_px, height_px = size_px(size) if size else (0, 0)
    options = ExportOptions(
        weights=weights,
        data=data,
        precision=cast(Precision, precision),
        version=version,
        averaged_with=average_with,
        size=Size(width_px=width_px, height_px=height_px) if size else None,
        limits=limits,
        evaluation=evaluation,
        engine=cast(Engine, engine),
        torchscript=torchscript,
    )
    exported = export_run(run, out, options)
    Screen().print(f"{exported.model_id} in {out}: {exported.headline}")
