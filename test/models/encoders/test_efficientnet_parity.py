"""EfficientNet gives what transformers', torchvision's and timm's give of the same weights."""

from typing import Any

import pytest
import references
import torch
from encoder_kit import assert_equal_outputs, encode, pictures, shaken
from torch import nn

from robot_vision.models.convert import convert
from robot_vision.models.encoders.encoder import EncoderChoice, build_encoder, encoder_spec

NAMES = ("efficientnet-b0", "efficientnet-b1", "efficientnet-b2", "efficientnet-b3")
FULL = [
    pytest.param(name, {}, marks=[] if name == "efficientnet-b0" else pytest.mark.slow)
    for name in NAMES
]
SMALL = pytest.param("efficientnet-b0", {"width_factor": 0.4, "depth_factor": 0.5}, id="small")
FROM_TENSORFLOW = {"padding": "same", "norm_epsilon": 1e-3}
# Places of the last blocks of strides 4, 8, 16 and 32 in lists of stages.
SHOWN = (1, 2, 4, 6)


def assert_ours_equals(
    choice: EncoderChoice, reference: nn.Module, maps: Any, pooled: torch.Tensor, x: torch.Tensor
) -> None:
    encoder = build_encoder(choice)
    encoder.load_state_dict(convert(choice, reference.state_dict()).renamed.tensors)
    assert_equal_outputs(encode(encoder.eval(), x), maps, pooled)


@pytest.mark.parametrize(("name", "options"), [SMALL, *FULL])
def test_it_equals_transformers(name: str, options: dict[str, Any]) -> None:
    transformers = references.transformers()
    choice = EncoderChoice(name=name, options=options | FROM_TENSORFLOW)
    spec = encoder_spec(choice).model_dump()
    config = transformers.EfficientNetConfig(
        width_coefficient=spec["width_factor"],
        depth_coefficient=spec["depth_factor"],
        hidden_dim=build_encoder(choice).dim,
    )
    torch.manual_seed(0)
    reference = transformers.EfficientNetForImageClassification(config).eval()
    shaken(reference)
    depths = encoder_spec(choice).depths  # type: ignore[attr-defined]
    last = [f"efficientnet.encoder.blocks.{sum(depths[: n + 1]) - 1}" for n in SHOWN]
    x = pictures(2, 96, 64)
    *maps, top = references.stage_outputs(
        reference, [*last, "efficientnet.encoder.top_activation"], x
    )
    assert_ours_equals(choice, reference, maps, top.mean(dim=(2, 3)), x)


@pytest.mark.parametrize(("name", "options"), FULL)
def test_it_equals_torchvision(name: str, options: dict[str, Any]) -> None:
    torchvision = references.torchvision()
    torch.manual_seed(0)
    reference = torchvision.models.get_model(name.replace("-", "_"), weights=None).eval()
    shaken(reference)
    x = pictures(2, 96, 64)
    stages = [f"features.{stage + 1}" for stage in SHOWN]
    *maps, pooled = references.stage_outputs(reference, [*stages, "avgpool"], x)
    assert_ours_equals(EncoderChoice(name=name, options=options), reference, maps, pooled, x)


TIMM = [
    *((name, name.replace("-", "_"), {}) for name in NAMES),
    *((name, f"tf_{name.replace('-', '_')}", FROM_TENSORFLOW) for name in NAMES),
    ("efficientnet-lite0", "tf_efficientnet_lite0", {}),
    ("efficientnet-lite0", "efficientnet_lite0", {"padding": "symmetric", "norm_epsilon": 1e-5}),
]


@pytest.mark.parametrize(
    ("name", "public", "options"),
    [pytest.param(*case, marks=pytest.mark.slow if case[0] in NAMES[1:] else []) for case in TIMM],
)
def test_it_equals_timm(name: str, public: str, options: dict[str, Any]) -> None:
    timm = references.timm()
    torch.manual_seed(0)
    reference = timm.create_model(public, pretrained=False).eval()
    shaken(reference)
    x = pictures(2, 96, 64)
    stages = [f"blocks.{stage}" for stage in SHOWN]
    *maps, pooled = references.stage_outputs(reference, [*stages, "global_pool"], x)
    assert_ours_equals(EncoderChoice(name=name, options=options), reference, maps, pooled, x)
