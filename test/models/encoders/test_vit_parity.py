"""Vision transformers give what the public implementations give of the same weights."""

from pathlib import Path
from typing import Any

import pytest
import references
import torch
from encoder_kit import assert_equal_outputs, encode, pictures, shaken
from safetensors.torch import load_file
from torch import Tensor, nn

from robot_vision.models.convert import convert
from robot_vision.models.encoders.encoder import (
    Encoder,
    EncoderChoice,
    build_encoder,
    encoder_spec,
)

SMALL: dict[str, Any] = {"width": 32, "heads": 4, "depth": 2, "grid": [6, 6]}
FULL = [
    pytest.param("vit-ti16", {}),
    pytest.param("vit-s16", {}, marks=pytest.mark.slow),
    pytest.param("vit-b16", {}, marks=pytest.mark.slow),
]
CASES = [
    pytest.param("vit-ti16", SMALL, id="small"),
    pytest.param("vit-ti16", SMALL | {"patch_px": 8}, id="small-8"),
    *FULL,
]
DINOV2 = [
    pytest.param("dinov2-s14", SMALL, id="small"),
    pytest.param("dinov2-s14-registers", SMALL, id="small-registers"),
    pytest.param("dinov2-s14", {}, marks=pytest.mark.slow),
    pytest.param("dinov2-s14-registers", {}, marks=pytest.mark.slow),
]


def ours(choice: EncoderChoice, tensors: dict[str, Tensor]) -> Encoder:
    encoder = build_encoder(choice)
    encoder.load_state_dict(convert(choice, tensors).renamed.tensors)
    return encoder.eval()


def config_of(kind: Any, choice: EncoderChoice) -> Any:
    spec = encoder_spec(choice).model_dump()
    rows, columns = (cells * spec["patch_px"] for cells in spec["grid"])
    return kind(
        hidden_size=spec["width"],
        num_hidden_layers=spec["depth"],
        num_attention_heads=spec["heads"],
        intermediate_size=spec["width"] * spec["feed_factor"],
        image_size=(rows, columns),
        patch_size=spec["patch_px"],
    )


def laid_out(tokens: Tensor, x: Tensor, patch_px: int) -> Tensor:
    """The tokens of patches, which are the last, as a map."""
    rows, columns = (side // patch_px for side in x.shape[2:])
    return tokens[:, -rows * columns :].transpose(1, 2).unflatten(2, (rows, columns))


def assert_equals_tokens(encoder: Encoder, x: Tensor, tokens: Tensor, patch_px: int) -> None:
    assert_equal_outputs(encode(encoder, x), [laid_out(tokens, x, patch_px)], tokens[:, 0])


@pytest.mark.parametrize(("name", "options"), CASES)
@pytest.mark.parametrize("steps", [None, (3, 8), (9, 9)], ids=["trained", "other", "larger"])
def test_it_equals_transformers_also_at_other_sizes(
    name: str, options: dict[str, Any], steps: tuple[int, int] | None
) -> None:
    transformers = references.transformers()
    choice = EncoderChoice(name=name, options=options | {"norm_epsilon": 1e-12})
    torch.manual_seed(0)
    reference = transformers.ViTForImageClassification(
        config_of(transformers.ViTConfig, choice)
    ).eval()
    shaken(reference)
    spec = encoder_spec(choice).model_dump()
    patch_px = spec["patch_px"]
    x = pictures(2, *(patch_px * cells for cells in steps or spec["grid"]))
    with torch.no_grad():
        answer = reference.vit(x, interpolate_pos_encoding=True)
    encoder = ours(choice, reference.state_dict())
    assert_equals_tokens(encoder, x, answer.last_hidden_state, patch_px)


@pytest.mark.parametrize(("name", "options"), DINOV2)
@pytest.mark.parametrize("from_file", [False, True], ids=["in-memory", "in-file"])
def test_it_equals_dinov2_of_transformers(
    name: str, options: dict[str, Any], from_file: bool, tmp_path: Path
) -> None:
    transformers = references.transformers()
    choice = EncoderChoice(name=name, options=options)
    kind = "Dinov2WithRegisters" if "registers" in name else "Dinov2"
    config = config_of(getattr(transformers, f"{kind}Config"), choice)
    torch.manual_seed(0)
    reference = getattr(transformers, f"{kind}Model")(config).eval()
    shaken(reference)
    x = pictures(2, 14 * 4, 14 * 5)
    with torch.no_grad():
        answer = reference(x)
    tensors = reference.state_dict()
    if from_file:
        reference.save_pretrained(tmp_path)
        tensors = load_file(tmp_path / "model.safetensors")
    assert_equals_tokens(ours(choice, tensors), x, answer.last_hidden_state, 14)


def test_it_reads_what_transformers_writes(tmp_path: Path) -> None:
    transformers = references.transformers()
    choice = EncoderChoice(name="vit-ti16", options=SMALL | {"norm_epsilon": 1e-12})
    reference = transformers.ViTModel(config_of(transformers.ViTConfig, choice)).eval()
    reference.save_pretrained(tmp_path)
    x = pictures(1, 96, 96)
    with torch.no_grad():
        answer = reference(x)
    encoder = ours(choice, load_file(tmp_path / "model.safetensors"))
    assert_equals_tokens(encoder, x, answer.last_hidden_state, 16)


@pytest.mark.parametrize(("name", "options"), CASES[:2])
def test_its_attention_maps_are_those_of_transformers(name: str, options: dict[str, Any]) -> None:
    transformers = references.transformers()
    choice = EncoderChoice(name=name, options=options | {"norm_epsilon": 1e-12})
    config = config_of(transformers.ViTConfig, choice)
    config._attn_implementation = "eager"
    torch.manual_seed(0)
    reference = transformers.ViTModel(config).eval()
    shaken(reference, by=0.2)
    x = pictures(2, 96, 96)
    with torch.no_grad():
        maps = reference(x, output_attentions=True, interpolate_pos_encoding=True).attentions
        own: tuple[Tensor, ...] = ours(choice, reference.state_dict()).attention_maps(x)  # type: ignore[operator,assignment]
    for one, other in zip(own, maps, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-5)


@pytest.mark.slow
def test_it_equals_torchvision() -> None:
    torchvision = references.torchvision()
    torch.manual_seed(0)
    reference = torchvision.models.vit_b_16(weights=None).eval()
    shaken(reference)
    x = pictures(1, 224, 224)
    (tokens,) = references.stage_outputs(reference, ["encoder"], x)
    encoder = ours(EncoderChoice(name="vit-b16"), reference.state_dict())
    assert_equals_tokens(encoder, x, tokens, 16)


@pytest.mark.parametrize(
    ("name", "public", "options"),
    [
        ("vit-ti16", "vit_tiny_patch16_224", {}),
        pytest.param("vit-s16", "vit_small_patch16_224", {}, marks=pytest.mark.slow),
        pytest.param("dino-s8", "vit_small_patch8_224", {}, marks=pytest.mark.slow),
        pytest.param("dinov2-s14", "vit_small_patch14_dinov2", {}, marks=pytest.mark.slow),
        pytest.param(
            "dinov2-s14-registers",
            "vit_small_patch14_reg4_dinov2",
            {"class_position": False},
            marks=pytest.mark.slow,
        ),
    ],
)
def test_it_equals_timm(name: str, public: str, options: dict[str, Any]) -> None:
    timm = references.timm()
    torch.manual_seed(0)
    reference: nn.Module = timm.create_model(public, pretrained=False).eval()
    shaken(reference)
    side = reference.patch_embed.img_size[0]  # type: ignore[union-attr,index]
    x = pictures(1, side, side)
    with torch.no_grad():
        tokens = reference.forward_features(x)  # type: ignore[operator]
    choice = EncoderChoice(name=name, options=options)
    encoder = ours(choice, reference.state_dict())
    assert_equals_tokens(encoder, x, tokens, encoder.strides[0])
