"""`robot-vision models …`: available bundles, and new ones from ONNX files."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand, TyperOption

from robot_vision.commands import models_compare, models_ensemble, models_get, models_recommend
from robot_vision.commands.allow_code import AllowCode
from robot_vision.commands.segmenters import (
    add_segmenters,
    import_segmenter,
    show_segmenter,
    verify_segmenter,
)
from robot_vision.commands.sizes import size_px
from robot_vision.core.code_permission import permit_code
from robot_vision.core.errors import ConfigError
from robot_vision.terminal import Screen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from robot_vision.importing.trial import Trial
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
    _try_out(bundle, device)


class _NamesFormats(TyperCommand):
    """Lists the formats in its help, and imports them only for that."""

    # Depending on its version, Typer's context is click's or its own.
    def format_help(self, ctx: Any, formatter: Any) -> None:
        from robot_vision.formats.registry import formats_of_tasks

        names = "; ".join(f"{task}: {', '.join(of)}" for task, of in formats_of_tasks().items())
        for option in self.params:
            if isinstance(option, TyperOption) and option.name == "format":
                option.help = f"format of the outputs ({names})"
        super().format_help(ctx, formatter)


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


@app.command()
def convert(
    source: Annotated[Path, typer.Argument(help="file, or folder written by save_pretrained")],
    encoder: Annotated[str, typer.Option(help="`models encoders` lists them")] = "",
    model: Annotated[str, typer.Option(help="a whole model instead of an encoder: detr")] = "",
    option: Annotated[
        list[str] | None, typer.Option(help="field=value of the spec; repeatable")
    ] = None,
    out: Annotated[Path, typer.Option(help="file to write")] = Path("weights.safetensors"),
) -> None:
    """Convert public weights for `run.init_weights` of a recipe.

    Weight names of torchvision, timm, transformers and others are recognised, as far as the
    encoder or model supports them. Head layers are left out of an encoder. Code in a file is never
    run.
    """
    from robot_vision.core.errors import ConfigError
    from robot_vision.core.foreign import parse_yaml

    if bool(encoder) == bool(model):
        raise ConfigError(
            f"--encoder {encoder!r} and --model {model!r}: expected exactly one of them"
        )
    given = _pairs(option, "option").items()
    options = {key: parse_yaml(value, what=f"--option {key}") for key, value in given}
    if encoder:
        _convert_encoder(source, encoder, options, out)
    else:
        _convert_model(source, model, options, out)


def _convert_encoder(source: Path, name: str, options: dict[str, Any], out: Path) -> None:
    import json

    from robot_vision.models.convert import TRAVELS, convert
    from robot_vision.models.encoders.encoder import EncoderChoice
    from robot_vision.models.public_files import read_public
    from robot_vision.models.weights import Weights, listed, write_weights

    found = convert(EncoderChoice(name=name, options=options), read_public(source))
    renamed, choice = found.renamed, found.choice.model_dump(mode="json")
    weights = Weights(file=out, tensors=renamed.tensors, model=name, travels={TRAVELS: choice})
    write_weights(out, weights)
    heads = f"left out: {listed(renamed.left_out)}" if renamed.left_out else "nothing left out"
    Screen().print(
        f"{source}: {len(renamed.tensors)} tensors named as in {renamed.layout.name}; "
        f"{heads}\nwritten: {out}; use it in a recipe with\nspec: "
        f"{{encoder: {json.dumps(choice)}}}\nrun: {{init_weights: {out}}}",
        soft_wrap=True,
    )


def _convert_model(source: Path, name: str, options: dict[str, Any], out: Path) -> None:
    import json

    from robot_vision.models.convert import convert_model
    from robot_vision.models.public_files import read_config, read_public
    from robot_vision.models.weights import write_weights

    weights = convert_model(name, options, read_public(source), read_config(source))
    write_weights(out, weights)
    Screen().print(
        f"{source}: {len(weights.tensors)} tensors of {name}\nwritten: {out}; use it in a recipe "
        f"with\nspec: {json.dumps(weights.spec)}\nrun: {{init_weights: {out}}}",
        soft_wrap=True,
    )


@app.command("import", cls=_NamesFormats)
def import_model(
    model_file: Annotated[
        Path, typer.Argument(help="ONNX file (of a pair: the encoder), or folder of a SAM")
    ],
    format: Annotated[str, typer.Option(help="format of the outputs")] = "",
    name: Annotated[str, typer.Option(help="name of the bundle; default: the file's")] = "",
    classes: Annotated[
        Path | None,
        typer.Option(help="class names: a line each, or data.yaml; default: from the ONNX file"),
    ] = None,
    keypoint_names: Annotated[
        str, typer.Option(help="names for a pose model: nose,left_eye,…")
    ] = "",
    size: Annotated[
        str, typer.Option(help="input size such as 416x320, if the file leaves it open")
    ] = "",
    output: Annotated[
        list[str] | None, typer.Option(help="role=tensor, if names differ; repeatable")
    ] = None,
    input: Annotated[
        list[str] | None, typer.Option(help="field=value of the input: color=bgr, mean=[0,0,0]")
    ] = None,
    reading: Annotated[
        list[str] | None,
        typer.Option(help="field=value for reading outputs: box_units=fractions"),
    ] = None,
    licence: Annotated[str, typer.Option(help="licence of the weights")] = "unknown",
    decoder: Annotated[
        Path | None,
        typer.Option(help="decoder of a promptable segmentation model (SAM and similar)"),
    ] = None,
    trial: Annotated[
        bool, typer.Option(help="determine the settings by trying the model on pictures")
    ] = True,
    explain: Annotated[
        bool, typer.Option("--explain", help="show every hypothesis that was tried")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="folder to write; default: ./<name>")] = None,
) -> None:
    """Determine by trial what an ONNX file expects and outputs, and write a bundle for it.

    Settings without an option (format, colour order, pixel scale, box units …) are tried on a few
    pictures with known objects; if the result is ambiguous, the choices are listed.
    """
    from robot_vision.core.foreign import parse_yaml
    from robot_vision.importing.choice import UndecidedError
    from robot_vision.importing.class_names import read_class_names
    from robot_vision.importing.study import study
    from robot_vision.importing.wanted import Wanted
    from robot_vision.model_store.store import Bundle, write_bundle

    name = name or model_file.stem.replace("_", "-")
    image = _pairs(input, "input").items()
    if decoder is not None or model_file.is_dir():
        fields = {key: parse_yaml(value, what=f"--input {key}") for key, value in image}
        import_segmenter(
            model_file, decoder, name=name, licence=licence, picture=fields, out=out or Path(name)
        )
        return
    wanted = Wanted(
        file=model_file,
        name=name,
        format=format,
        classes=read_class_names(classes) if classes else (),
        keypoints=tuple(part.strip() for part in keypoint_names.split(",") if part.strip()),
        size_px=size_px(size) if size else None,
        outputs=_pairs(output, "output"),
        image={key: parse_yaml(value, what=f"--input {key}") for key, value in image},
        reading=_pairs(reading, "reading"),
        licence=licence,
        is_tried=trial,
    )
    try:
        finding = study(wanted)
    except UndecidedError as error:
        if explain:
            _print_trials(error.trials)
        raise
    if explain:
        _print_trials(finding.trials)
    Screen().print("\n".join(finding.lines), soft_wrap=True)
    in_place = finding.manifest.model_copy(update={"file": model_file.name})
    _try_out(Bundle(path=model_file.parent, manifest=in_place), "cpu")
    bundle = write_bundle(out or Path(name), finding.manifest, model_file)
    Screen().print(f"written: {bundle.path} (sha256 {bundle.manifest.sha256})")


def _print_trials(trials: "Sequence[Trial]") -> None:
    from rich.table import Table

    from robot_vision.importing.words import table_rows

    table = Table(
        *("format", "reading", "colours", "pixels", "resize"),
        *("found", "quality", "sound", "fault"),
    )
    for row in table_rows(trials):
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


def _try_out(bundle: "Bundle", device: str) -> None:
    from robot_vision.core.config import ServiceConfig, with_values
    from robot_vision.perception.model import load_model

    console = Screen()
    config = with_values(ServiceConfig(), {"device": device})
    model = load_model(bundle, config, announce=console.print)
    console.print(
        f"{bundle.manifest.model_id}: {bundle.model_path} runs on {model.backend.provider}, "
        f"its outputs fit format {bundle.manifest.format}",
    )
    if model.backend.fallback_reason:
        console.print(f"no faster device is used: {model.backend.fallback_reason}")
    model.backend.close()


def _pairs(values: list[str] | None, what: str) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for text in values or []:
        key, _, value = text.partition("=")
        if not key or not value:
            raise ConfigError(f"{what} {text!r}; expected name=value")
        pairs[key] = value
    return pairs
