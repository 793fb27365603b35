"""DETR says what transformers' `DetrForObjectDetection` says of the same weights."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from robot_vision.cli import app
from robot_vision.core.errors import ConfigError
from robot_vision.models.convert import convert_model
from robot_vision.models.detection.detr import Detr, DetrSpec
from robot_vision.models.detection.detr_names import DETR_LAYOUTS
from robot_vision.models.encoders.encoder import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    EncoderChoice,
    build_encoder,
    encoder_spec,
)
from robot_vision.models.encoders.layout import rename
from robot_vision.models.encoders.resnet import LAYOUTS
from robot_vision.models.public_files import read_public
from robot_vision.models.weights import load_exactly, read_weights

transformers = pytest.importorskip(
    "transformers", reason="transformers is not installed: it is the reference of this test"
)

SMALL = {
    "block": "basic",
    "depths": (1, 2, 1, 1),
    "width": 8,
}


def reference() -> torch.nn.Module:
    """Random weights; norms have statistics as if they had been trained."""
    torch.manual_seed(0)
    backbone = transformers.ResNetConfig(
        embedding_size=8,
        hidden_sizes=[8, 16, 32, 64],
        depths=list(SMALL["depths"]),
        layer_type="basic",
        out_features=["stage4"],
    )
    config = transformers.DetrConfig(
        backbone_config=backbone,
        use_timm_backbone=False,
        use_pretrained_backbone=False,
        backbone=None,
        d_model=32,
        encoder_layers=2,
        decoder_layers=3,
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        encoder_ffn_dim=48,
        decoder_ffn_dim=48,
        num_queries=7,
        num_labels=3,
    )
    model = transformers.DetrForObjectDetection(config).eval()
    draw = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if name.endswith("running_var"):
                tensor.copy_(torch.rand(tensor.shape, generator=draw) + 0.5)
            elif tensor.is_floating_point():
                tensor.add_(0.05 * torch.randn(tensor.shape, generator=draw))
    return model


def ours() -> Detr:
    spec = DetrSpec(
        encoder=EncoderChoice(name="resnet18", options=SMALL),
        classes=3,
        queries=7,
        width=32,
        heads=4,
        inner=48,
        encoder_layers=2,
        decoder_layers=3,
    )
    return Detr(spec).eval()


def test_its_weights_load_and_its_outputs_are_equal() -> None:
    theirs, model = reference(), ours()
    renamed = rename(tuple(model.state_dict()), model.spec, DETR_LAYOUTS[-1], theirs.state_dict())
    assert (renamed.missing, renamed.unexpected) == ((), ())
    model.load_state_dict(renamed.tensors, strict=True)
    rgb = torch.randint(0, 256, (2, 96, 160, 3), dtype=torch.uint8)
    mean, std = (torch.tensor(v).reshape(3, 1, 1) for v in (IMAGENET_MEAN, IMAGENET_STD))
    with torch.no_grad():
        expected = theirs(pixel_values=(rgb.permute(0, 3, 1, 2) / 255 - mean) / std)
        found = model(rgb)
    assert expected.logits.std() > 0.1  # weights that say something
    torch.testing.assert_close(found["logits"], expected.logits, rtol=0, atol=1e-5)
    torch.testing.assert_close(found["boxes"], expected.pred_boxes, rtol=0, atol=1e-5)


@pytest.mark.parametrize("timm_names", [False, True])
def test_a_folder_of_transformers_becomes_ours_by_a_command(
    tmp_path: Path, timm_names: bool
) -> None:
    theirs, folder, out = reference(), tmp_path / "detr", tmp_path / "detr.safetensors"
    theirs.save_pretrained(folder)
    if timm_names:
        with_names_of_timm(folder / "model.safetensors")
    command = ["models", "convert", str(folder), "--model", "detr", "--out", str(out)]
    result = CliRunner().invoke(app, command, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    weights = read_weights(out)
    model = Detr(DetrSpec.model_validate(weights.spec)).eval()
    assert (model.spec.classes, model.spec.queries, model.spec.width) == (3, 7, 32)
    load_exactly(model, weights, name="detr")
    rgb = torch.randint(0, 256, (1, 64, 96, 3), dtype=torch.uint8)
    mean, std = (torch.tensor(v).reshape(3, 1, 1) for v in (IMAGENET_MEAN, IMAGENET_STD))
    with torch.no_grad():
        expected = theirs(pixel_values=(rgb.permute(0, 3, 1, 2) / 255 - mean) / std)
        answer = model(rgb)
    torch.testing.assert_close(answer["boxes"], expected.pred_boxes, atol=1e-5, rtol=0)


def with_names_of_timm(file: Path) -> None:
    """Name the backbone as the published files of DETR do."""
    prefix = "model.backbone.conv_encoder.model."
    names = {layout.name: layout for layout in LAYOUTS}
    spec = encoder_spec(EncoderChoice(name="resnet18", options=SMALL))
    own = list(build_encoder(EncoderChoice(name="resnet18", options=SMALL)).state_dict())
    to_timm = {
        prefix + names["transformers"].sources(name, spec)[0]: prefix
        + names["torchvision and timm"].sources(name, spec)[0]
        for name in own
    }
    tensors = load_file(file)
    save_file({to_timm.get(name, name): tensor for name, tensor in tensors.items()}, file)


def test_a_config_that_lacks_something_is_refused(tmp_path: Path) -> None:
    reference().save_pretrained(tmp_path)
    file = tmp_path / "config.json"
    config = json.loads(file.read_text())
    config.pop("num_queries")
    tensors = read_public(tmp_path)
    with pytest.raises(ConfigError, match=r"config\.json .* lacks .*num_queries"):
        convert_model("detr", {}, tensors, config)
    with pytest.raises(ConfigError, match="these weights do not fit model 'detr'"):
        convert_model("detr", {}, tensors, {})
    with pytest.raises(ConfigError, match=r"no public names .* 'yolo-v1'"):
        convert_model("yolo-v1", {}, tensors, {})
