"""`robot-vision models get` and `known`: foundation models by name, as bundles."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from robot_vision.commands.sizes import size_px
from robot_vision.core.errors import ConfigError, RobotVisionError
from robot_vision.terminal import Screen

if TYPE_CHECKING:
    from robot_vision.foundation.convert import Converted
    from robot_vision.foundation.get import Brought
    from robot_vision.foundation.hub import HubOptions
    from robot_vision.foundation.reference import Reference

# The service parameter for a bundle, by its task.
_PARAMETERS = {
    "detection": "model",
    "depth": "depth_model",
    "features": "feature_model",
    "classification": "classifier_model",
    "grounding": "grounding_model",
}


def known() -> None:
    """List foundation models useful on robots: licence, size, purpose."""
    from rich.table import Column, Table

    from robot_vision.foundation.known import KNOWN

    columns = (Column("name", no_wrap=True), Column("licence", overflow="fold"))
    columns += (Column("MB", justify="right"), Column("parameter", overflow="fold"))
    table = Table(*columns, "good for", Column("from", overflow="fold"))
    for one in KNOWN.values():
        size = str(one.megabytes)
        table.add_row(one.name, one.licence, size, one.parameter, one.good_for, one.source)
    console = Screen()
    console.print(table)
    console.print("robot-vision models get NAME --out bundles/NAME; use it with:")
    for one in (one for one in KNOWN.values() if one.options):
        console.print(f"  {one.name} {one.options}", soft_wrap=True)
    console.print("Licences and sizes are from the model cards. None was measured here.")


def get(
    model: Annotated[
        str, typer.Argument(help="name of `models known`, hf:ORG/MODEL, URL of ONNX, or a folder")
    ],
    out: Annotated[Path | None, typer.Option(help="folder to write; default: ./<name>")] = None,
    name: Annotated[str, typer.Option(help="name of the bundle; default: the model's")] = "",
    hub: Annotated[
        str, typer.Option(help="mirror's URL, or folder with ORG/MODEL; default: huggingface.co")
    ] = "",
    offline: Annotated[bool, typer.Option("--offline", help="use only the cache")] = False,
    sha256: Annotated[str, typer.Option(help="hash of the file at a URL; required for URLs")] = "",
    licence: Annotated[str, typer.Option(help="default: from the model card")] = "",
    camera: Annotated[
        str, typer.Option(help="image size of the camera, from which the input size follows")
    ] = "640x480",
    size: Annotated[str, typer.Option(help="input size; default: the library's")] = "",
    words: Annotated[str, typer.Option(help="CLIP: classes, separated by commas")] = "",
    template: Annotated[
        str, typer.Option(help="CLIP: sentence template for each class")
    ] = "This is a photo of {}.",
    embedding: Annotated[
        str, typer.Option(help="DINOv2: class (token), mean (of patches) or both")
    ] = "class",
    format: Annotated[
        str,
        typer.Option(help="depth: depth_relative or depth_metric, if the config does not say"),
    ] = "",
    score_threshold: Annotated[
        float | None, typer.Option(help="detectors: score threshold", min=0, max=1)
    ] = None,
) -> None:
    """Download a model's weights and write a bundle that the service runs without torch.

    Only safetensors and ONNX are read (torch files only as tensors), and no code of a model is
    run. The licence is shown, and stored in the bundle. Downloads are cached.
    """
    from robot_vision.foundation.family import Asked
    from robot_vision.foundation.get import make_bundle
    from robot_vision.foundation.hub import HubOptions
    from robot_vision.foundation.reference import reference_of

    reference = reference_of(model)
    options = HubOptions(hub=hub, offline=offline)
    brought = _bring(reference, options, sha256=sha256, licence=licence)
    name = name or reference.name
    if brought.onnx is not None:
        _by_trial(brought, name, out)
        return
    asked = Asked(
        name=name,
        camera_px=size_px(camera),
        size_px=size_px(size) if size else None,
        words=tuple(word.strip() for word in words.split(",") if word.strip()),
        template=template,
        embedding=embedding,
        format=format,
        score_threshold=score_threshold,
    )
    _say_made(make_bundle(brought, asked, out or Path(name)))


def _bring(
    reference: "Reference", options: "HubOptions", *, sha256: str, licence: str
) -> "Brought":
    """Download it, with a bar, and say under which licence it is."""
    from robot_vision.foundation.get import bring_model

    with _bar() as bar:
        task = bar.add_task(reference.name, total=None, visible=reference.kind == "url")
        brought = bring_model(
            reference,
            options,
            sha256=sha256,
            licence=licence,
            progress=lambda done, size: bar.update(task, completed=done, total=size),
        )
    console = Screen()
    console.print(f"{brought.source}: licence {brought.licence}", soft_wrap=True)
    if brought.licence == "unknown":
        console.print("no model card states its licence: ask its publisher")
    return brought


def _say_made(made: "Converted") -> None:
    """What was written, and how to use it."""
    manifest = made.bundle.manifest
    lines = [
        *made.notes,
        f"{manifest.format}, input {manifest.input.width_px}×{manifest.input.height_px}; ONNX "
        f"Runtime differs from torch by at most {made.difference:.0e}; not measured on a task",
        f"written: {made.bundle.path} (sha256 {manifest.sha256})",
        f"use it: robot-vision run -p {_PARAMETERS[manifest.task]}:={made.bundle.path}",
    ]
    Screen().print("\n".join(lines), soft_wrap=True)


def _bar() -> Any:
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn

    from robot_vision.terminal import text_column

    columns = (text_column("{task.description}"), BarColumn(), DownloadColumn())
    screen = Screen(stderr=True)
    return Progress(*columns, TimeRemainingColumn(), console=screen, transient=True)


def _by_trial(brought: "Brought", name: str, out: Path | None) -> None:
    """An ONNX file says little about itself, so it is imported like any other."""
    from robot_vision.commands.models_import import import_model

    assert brought.onnx is not None
    given: dict[str, Any] = {"name": name, "licence": brought.licence, "out": out}
    try:
        import_model(brought.onnx, **given)
    except RobotVisionError as error:
        raise ConfigError(
            f"{error}. Import the file with options: `robot-vision models import {brought.onnx}`"
        ) from error
