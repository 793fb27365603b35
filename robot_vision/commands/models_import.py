"""`robot-vision models import`: a bundle from an ONNX file, its settings determined by trial."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand, TyperOption

from robot_vision.commands.overrides import pairs
from robot_vision.commands.segmenters import import_segmenter
from robot_vision.commands.sizes import size_px
from robot_vision.terminal import Screen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from robot_vision.importing.reading.wanted import Wanted
    from robot_vision.importing.trying.trial import Trial
    from robot_vision.importing.words import Finding
    from robot_vision.model_store.store import Bundle


def register(models_app: typer.Typer) -> None:
    """Add `import` to the `models` commands."""
    models_app.command("import", cls=_NamesFormats)(import_model)


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
    from robot_vision.core.files.foreign import parse_yaml
    from robot_vision.importing.reading.class_names import read_class_names
    from robot_vision.importing.reading.wanted import Wanted

    name = name or model_file.stem.replace("_", "-")
    image = pairs(input, "input").items()
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
        outputs=pairs(output, "output"),
        image={key: parse_yaml(value, what=f"--input {key}") for key, value in image},
        reading=pairs(reading, "reading"),
        licence=licence,
        is_tried=trial,
    )
    _write(_studied(wanted, explain), model_file, out or Path(name))


def _studied(wanted: "Wanted", explain: bool) -> "Finding":
    """The finding; with `explain`, every trial is printed, even without a decision."""
    from robot_vision.importing.choice import UndecidedError
    from robot_vision.importing.study import study

    try:
        finding = study(wanted)
    except UndecidedError as error:
        if explain:
            _print_trials(error.trials)
        raise
    if explain:
        _print_trials(finding.trials)
    return finding


def _write(finding: "Finding", model_file: Path, out: Path) -> None:
    """Say what was found, run the model so, and write its bundle."""
    from robot_vision.model_store.store import Bundle, write_bundle

    Screen().print("\n".join(finding.lines), soft_wrap=True)
    in_place = finding.manifest.model_copy(update={"file": model_file.name})
    try_out(Bundle(path=model_file.parent, manifest=in_place), "cpu")
    bundle = write_bundle(out, finding.manifest, model_file)
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


def try_out(bundle: "Bundle", device: str) -> None:
    """Load a bundle and run it on a blank frame; prints where it runs."""
    from robot_vision.core.parameters.config import ServiceConfig
    from robot_vision.core.parameters.values import with_values
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
