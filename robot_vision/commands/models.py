"""`robot-vision models …`: available bundles, and new ones from ONNX files."""

from typing import TYPE_CHECKING, Annotated

import typer

from robot_vision.commands import (
    models_compare,
    models_convert,
    models_ensemble,
    models_get,
    models_import,
    models_recommend,
)
from robot_vision.commands.allow_code import AllowCode
from robot_vision.commands.models_import import try_out
from robot_vision.commands.segmenters import add_segmenters, show_segmenter, verify_segmenter
from robot_vision.core.files.code_permission import permit_code
from robot_vision.terminal import Screen

if TYPE_CHECKING:
    from robot_vision.model_store.store import Bundle

app = typer.Typer(
    no_args_is_help=True, help="List, get, inspect, import and verify model bundles."
)
app.command("known")(models_get.known)
app.command("get")(models_get.get)
models_compare.register(app)
models_ensemble.register(app)
models_recommend.register(app)

Name = Annotated[str, typer.Argument(help="name in the store, or a folder with model.yaml")]


@app.command("list")
def list_models() -> None:
    """List the bundles in the store: those of the package and those in ROBOT_VISION_MODELS."""
    from rich.table import Table

    from robot_vision.model_store.store import list_bundles

    table = Table("name", "task", "format", "input", "classes", "licence", "folder")
    for bundle in list_bundles():
        m = bundle.manifest
        size = f"{m.input.width_px}×{m.input.height_px}"
        count = str(len(m.classes))
        table.add_row(m.model_id, m.task, m.format, size, count, m.licence, str(bundle.path))
    add_segmenters(table)
    Screen().print(table)


@app.command()
def show(name: Name) -> None:
    """Show a bundle's manifest, whether its files match, and whether they can run code."""
    import yaml

    from robot_vision.model_store.segmenters import is_segmenter
    from robot_vision.model_store.store import find_bundle

    if is_segmenter(name):
        show_segmenter(name)
        return
    bundle = find_bundle(name)
    described = bundle.manifest.model_dump(mode="json")
    described["classes"] = ", ".join(bundle.manifest.classes)
    text = yaml.safe_dump(described, sort_keys=False, allow_unicode=True, width=100)
    Screen().print(f"{bundle.path} (verified)\n{text}")
    _print_powers(bundle)


@app.command()
def verify(
    name: Name,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or tensorrt")] = "auto",
    allow_code: AllowCode = False,
) -> None:
    """Check a bundle's sha256s and whether it can run code, load it and run it on a blank
    frame."""
    from robot_vision.model_store.segmenters import is_segmenter
    from robot_vision.model_store.store import find_bundle

    permit_code(allow_code)
    if is_segmenter(name):
        verify_segmenter(name, device)
        return
    bundle = find_bundle(name)
    _print_powers(bundle)
    try_out(bundle, device)


@app.command()
def architectures() -> None:
    """List trainable torch models: task, size, cost per sample, serving format."""
    from rich.table import Column, Table

    from robot_vision.models.contract import gmacs_of, parameters_of
    from robot_vision.models.registry import MODELS

    first = (Column("name", no_wrap=True), Column("task", no_wrap=True))
    table = Table(*first, "parameters", "GMACs", "format", "paper", "about")
    for name in MODELS:
        card = MODELS.get(name)
        served = "not served" if card.serving is None else card.serving.format or "-"
        cost = f"{parameters_of(card) / 1e6:.2f} M", f"{gmacs_of(card):.3f}"
        about = card.about.partition(". ")[0]
        table.add_row(name, card.task, *cost, served, card.paper, about)
    Screen().print(table)


@app.command()
def tasks() -> None:
    """List training tasks, and the metric that selects weights."""
    from rich.table import Table

    from robot_vision.models.registry import MODELS
    from robot_vision.training.engine.task import TASKS

    table = Table("task", "selected by", "models", "about")
    for name in TASKS:
        task = TASKS.get(name)
        about = (task.__doc__ or "").partition("\n")[0]
        models = ", ".join(model for model in MODELS if MODELS.get(model).task == name)
        table.add_row(name, task.metric or "the last weights", models, about)
    Screen().print(table)


@app.command()
def encoders() -> None:
    """List encoders (picture to maps and embedding) that recipes can name."""
    from rich.table import Column, Table

    from robot_vision.models.encoders.listing import described

    first = (Column("name", no_wrap=True), Column("parameters", no_wrap=True))
    table = Table(*first, "strides", "channels", "pooled", "about")
    for row in described():
        table.add_row(*row)
    Screen().print(table)


def _print_powers(bundle: "Bundle") -> None:
    """Print which kinds of model file can run code, and whether this bundle's is one."""
    from robot_vision.model_store.file_kinds import RUNS_CODE, WHAT_A_KIND_CAN_DO, kind_of

    kind = kind_of(bundle.model_path)
    if kind == "other":
        answer = "is of an unsupported kind"
    else:
        answer = "can run arbitrary code when loaded" if kind in RUNS_CODE else "cannot run code"
    lines = [
        f"{bundle.manifest.file} {answer}. Kinds of file:",
        *(f"  {what}" for what in WHAT_A_KIND_CAN_DO.values()),
    ]
    Screen().print("\n".join(lines), soft_wrap=True)


models_convert.register(app)
models_import.register(app)
