"""`robot-vision models convert`: public weights as a start for training."""

from pathlib import Path
from typing import Annotated, Any

import typer

from robot_vision.commands.overrides import pairs
from robot_vision.core.errors import ConfigError
from robot_vision.terminal import Screen


def register(models_app: typer.Typer) -> None:
    """Add `convert` to the `models` commands."""
    models_app.command("convert")(convert_weights)


def convert_weights(
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
    from robot_vision.core.files.foreign import parse_yaml

    if bool(encoder) == bool(model):
        raise ConfigError(
            f"--encoder {encoder!r} and --model {model!r}: expected exactly one of them"
        )
    given = pairs(option, "option").items()
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
