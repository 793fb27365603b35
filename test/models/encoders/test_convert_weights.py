"""Public files become ours by a command; what does not fit is named as the file names it."""

from pathlib import Path
from typing import Any

import pytest
import torch
from encoder_kit import encode, pictures, shaken
from safetensors.torch import save_file
from torch import Tensor
from typer.testing import CliRunner

from robot_vision.cli import app
from robot_vision.core.errors import ConfigError
from robot_vision.model_store.store import find_bundle
from robot_vision.models.convert import convert
from robot_vision.models.encoders.encoder import (
    ENCODERS,
    EncoderChoice,
    build_encoder,
    encoder_spec,
)
from robot_vision.models.encoders.layout import Layout
from robot_vision.models.multitask.native import NativeModel
from robot_vision.models.multitask.native_parts import NativeSpec
from robot_vision.models.public_files import read_public
from robot_vision.models.weights import load_exactly, read_weights

SMALL = EncoderChoice(name="resnet18", options={"depths": [1, 1], "width": 4})


def public_tensors(choice: EncoderChoice, layout: Layout) -> dict[str, Tensor]:
    """Weights as a layout has them, fused ones in their parts."""
    spec = encoder_spec(choice)
    torch.manual_seed(0)
    encoder = build_encoder(choice)
    shaken(encoder)
    found = {}
    for name, tensor in encoder.state_dict().items():
        sources = layout.sources(name, spec)
        parts = tensor.chunk(len(sources)) if tensor.ndim else (tensor,)
        found |= {source: part.clone() for source, part in zip(sources, parts, strict=True)}
    return found


def with_layouts() -> list[Any]:
    return [
        pytest.param(name, layout, id=f"{name}-{layout.name}")
        for name in ENCODERS
        for layout in ENCODERS.get(name).layouts
        if not ENCODERS.get(name).needs
        and not ("registers" in name and layout.name in ("torchvision", "timm"))
        and not ("dinov2" in name and layout.name.startswith(("torchvision", "transformers' ViT")))
    ]


@pytest.mark.parametrize(("name", "layout"), with_layouts())
def test_no_two_weights_of_a_layout_have_one_name(name: str, layout: Layout) -> None:
    tiny = ENCODERS.get(name).tiny
    choice = EncoderChoice(name=name, options=tiny.model_dump())
    public = public_tensors(choice, layout)
    again = convert(choice, public).renamed.tensors
    own = build_encoder(choice).state_dict()
    assert {n: t.shape for n, t in again.items()} == {n: t.shape for n, t in own.items()}
    sources = [s for n in own for s in layout.sources(n, encoder_spec(choice))]
    assert len(set(sources)) == len(sources) == len(public)


def public_resnet() -> dict[str, Tensor]:
    return public_tensors(SMALL, ENCODERS.get("resnet18").layouts[0])


@pytest.mark.parametrize("kind", ["file", "torch", "checkpoint", "folder", "shards"])
def test_the_command_writes_what_a_recipe_takes(kind: str, tmp_path: Path) -> None:
    tensors = public_resnet() | {"fc.weight": torch.ones(3, 8), "fc.bias": torch.ones(3)}
    source = written(tensors, kind, tmp_path)
    out = tmp_path / "weights.safetensors"
    command = ["models", "convert", str(source), "--encoder", "resnet18", "--out", str(out)]
    result = CliRunner().invoke(
        app, [*command, "--option", "depths=[1, 1]", "--option", "width=4"]
    )
    assert result.exit_code == 0, result.output
    assert "torchvision and timm" in result.output
    assert "left out: fc.bias, fc.weight" in result.output
    weights = read_weights(out)
    assert weights.model == "resnet18"
    assert weights.travels["encoder"] == SMALL.model_dump()
    encoder = build_encoder(SMALL)
    load_exactly(encoder, weights, name="resnet18")
    again = build_encoder(SMALL)
    again.load_state_dict(convert(SMALL, public_resnet()).renamed.tensors)
    x = pictures(1, 16, 16)
    assert torch.equal(encode(encoder.eval(), x).pooled, encode(again.eval(), x).pooled)


def written(tensors: dict[str, Tensor], kind: str, folder: Path) -> Path:
    names = sorted(tensors)
    if kind == "file":
        save_file(tensors, folder / "some.safetensors")
        return folder / "some.safetensors"
    if kind == "torch":
        torch.save(tensors, folder / "some.pth")
        return folder / "some.pth"
    if kind == "checkpoint":
        torch.save({"epoch": 3, "state_dict": tensors}, folder / "some.bin")
        return folder / "some.bin"
    source = folder / "model"
    source.mkdir()
    if kind == "folder":
        save_file(tensors, source / "model.safetensors")
    else:
        for number, part in enumerate((names[:9], names[9:]), start=1):
            file = source / f"model-0000{number}-of-00002.safetensors"
            save_file({name: tensors[name] for name in part}, file)
    return source


def test_weights_behind_any_prefix_are_found() -> None:
    behind = {f"module.backbone.{name}": t for name, t in public_resnet().items()}
    found = convert(SMALL, behind | {"module.decoder.weight": torch.ones(1)})
    assert found.renamed.left_out == ("module.decoder.weight",)
    assert found.renamed.tensors.keys() == build_encoder(SMALL).state_dict().keys()


def test_ours_are_returned_unchanged() -> None:
    own = build_encoder(SMALL).state_dict()
    found = convert(SMALL, own).renamed.tensors
    assert all(found[name] is tensor for name, tensor in own.items())


def test_missing_and_unexpected_names_and_shapes_are_those_of_the_file() -> None:
    tensors = public_resnet()
    del tensors["layer2.0.downsample.0.weight"]
    tensors["layer3.0.conv1.weight"] = torch.ones(1)
    tensors["conv1.weight"] = torch.ones(4, 1, 7, 7)
    says = (
        r"encoder 'resnet18', read with the names of torchvision and timm: missing: "
        r"layer2\.0\.downsample\.0\.weight; unexpected: layer3\.0\.conv1\.weight; of another "
        r"shape: stem\.0\.weight \[4, 1, 7, 7\] for \[4, 3, 7, 7\]; expected \d+ tensors"
    )
    with pytest.raises(ConfigError, match=says):
        convert(SMALL, tensors)


def test_counts_of_batches_may_be_missing() -> None:
    old = {n: t for n, t in public_resnet().items() if not n.endswith("num_batches_tracked")}
    assert convert(SMALL, old).renamed.tensors.keys() == build_encoder(SMALL).state_dict().keys()


def test_options_that_a_layout_needs_are_set_unless_they_are_given() -> None:
    tiny = {"width_factor": 0.1, "depth_factor": 0.3}
    layout = ENCODERS.get("efficientnet-b0").layouts[2]
    assert layout.name == "transformers"
    public = public_tensors(EncoderChoice(name="efficientnet-b0", options=tiny), layout)
    for given, expected in (({}, "same"), ({"padding": "symmetric"}, "symmetric")):
        choice = EncoderChoice(name="efficientnet-b0", options=tiny | given)
        found = convert(choice, public).choice
        assert found.options["padding"] == expected
        assert found.options["norm_epsilon"] == 1e-3


class Foreign:
    """An object that a file of tensors has no business to hold."""


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.pth", {"x": Foreign()}, "cannot read .*a.pth as tensors alone"),
        ("b.pth", {"x": 3}, "b.pth: expected tensors by name"),
        ("c.pth", [torch.ones(1)], "c.pth: expected tensors by name"),
        ("d.pth", {}, "d.pth holds no tensors"),
        ("e.h5", {}, r"e.h5 has an unsupported suffix; expected \.safetensors"),
    ],
)
def test_files_that_hold_something_else_are_named(
    name: str, content: object, says: str, tmp_path: Path
) -> None:
    torch.save(content, tmp_path / name)
    with pytest.raises(ConfigError, match=says):
        read_public(tmp_path / name)


def test_a_folder_without_weights_says_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"holds no weights; expected one of model\.safetens"):
        read_public(tmp_path)
    with pytest.raises(ConfigError, match="cannot read"):
        read_public(tmp_path / "nowhere.pth")


def test_the_bundle_native_s_gives_its_encoder_as_the_model_has_it() -> None:
    weights = read_weights(find_bundle("native-s").path / "model.safetensors")
    model = NativeModel(NativeSpec(**weights.spec)).eval()
    load_exactly(model, weights, name="native-s")
    choice = EncoderChoice(name="native-s")
    encoder = build_encoder(choice)
    encoder.load_state_dict(convert(choice, weights.tensors).renamed.tensors)
    rgb = torch.randint(0, 256, (2, 64, 96, 3), dtype=torch.uint8)
    seen: list[Any] = []
    model.encoder.register_forward_hook(lambda _m, _i, output: seen.append(output))
    with torch.no_grad():
        model(rgb, torch.zeros(2, 1, 64, 96), torch.zeros(2, 1))
    x = (rgb.permute(0, 3, 1, 2).float() - 127.5) / 64
    for own, expected in zip(encode(encoder.eval(), x).maps, seen[0], strict=True):
        torch.testing.assert_close(own, expected, rtol=0, atol=1e-5)


def test_the_list_shows_every_encoder() -> None:
    result = CliRunner().invoke(app, ["models", "encoders"])
    assert result.exit_code == 0
    assert all(name in result.output for name in ENCODERS)
