"""ResNet gives what transformers', torchvision's and timm's give of the same weights."""

from typing import Any

import pytest
import references
import torch
from encoder_kit import assert_equal_outputs, encode, pictures, shaken
from torch import nn

from robot_vision.models.convert import convert
from robot_vision.models.encoders.encoder import ENCODERS, Encoder, EncoderChoice, build_encoder

SMALL = {"depths": [1, 2, 1], "width": 8}
FULL = [
    pytest.param(name, {}, marks=[] if name == "resnet18" else pytest.mark.slow)
    for name in ("resnet18", "resnet34", "resnet50")
]
CASES = [
    pytest.param("resnet18", SMALL, id="small-basic"),
    pytest.param("resnet50", SMALL, id="small-bottleneck"),
    *FULL,
]


def ours(name: str, options: dict[str, Any], reference: nn.Module) -> Encoder:
    choice = EncoderChoice(name=name, options=options)
    encoder = build_encoder(choice)
    encoder.load_state_dict(convert(choice, reference.state_dict()).renamed.tensors)
    return encoder.eval()


@pytest.mark.parametrize(("name", "options"), CASES)
def test_it_equals_transformers(name: str, options: dict[str, Any]) -> None:
    transformers = references.transformers()
    spec = ENCODERS.get(name).spec.model_copy(update=options)
    widths = [spec.width * 2**level for level in range(len(spec.depths))]
    config = transformers.ResNetConfig(
        embedding_size=spec.width,
        hidden_sizes=[w * (4 if spec.block == "bottleneck" else 1) for w in widths],
        depths=list(spec.depths),
        layer_type=spec.block,
    )
    torch.manual_seed(0)
    reference = transformers.ResNetForImageClassification(config).eval()
    shaken(reference)
    x = pictures(2, 96, 64)
    with torch.no_grad():
        answer = reference.resnet(x, output_hidden_states=True)
    maps = answer.hidden_states[1:]
    assert_equal_outputs(encode(ours(name, options, reference), x), maps, answer.pooler_output)


@pytest.mark.parametrize(("name", "options"), CASES)
def test_it_equals_torchvision(name: str, options: dict[str, Any]) -> None:
    torchvision = references.torchvision()
    spec = ENCODERS.get(name).spec.model_copy(update=options)
    if len(spec.depths) != 4:
        options = options | {"width": 64, "depths": [1, 2, 1, 1]}
        spec = ENCODERS.get(name).spec.model_copy(update=options)
    block = {"basic": "BasicBlock", "bottleneck": "Bottleneck"}[spec.block]
    resnet = torchvision.models.resnet
    torch.manual_seed(0)
    reference = resnet.ResNet(getattr(resnet, block), list(spec.depths)).eval()
    shaken(reference)
    x = pictures(2, 96, 64)
    maps = references.stage_outputs(reference, [f"layer{n}" for n in (1, 2, 3, 4)], x)
    pooled = maps[-1].mean(dim=(2, 3))
    assert_equal_outputs(encode(ours(name, options, reference), x), maps, pooled)


@pytest.mark.parametrize(("name", "options"), FULL)
def test_it_equals_timm(name: str, options: dict[str, Any]) -> None:
    timm = references.timm()
    torch.manual_seed(0)
    reference = timm.create_model(name, pretrained=False).eval()
    shaken(reference)
    x = pictures(2, 96, 64)
    maps = references.stage_outputs(reference, [f"layer{n}" for n in (1, 2, 3, 4)], x)
    with torch.no_grad():
        pooled = reference.forward_head(maps[-1], pre_logits=True)
    assert_equal_outputs(encode(ours(name, options, reference), x), maps, pooled)
