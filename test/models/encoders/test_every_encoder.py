"""What every registered encoder must keep: tests find it by its card."""

from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from encoder_kit import encode, pictures, tiny_encoder, tiny_picture_encoder
from torch import Tensor, nn

from robot_vision.core.errors import ConfigError
from robot_vision.export.graph import export_graph
from robot_vision.export.parity import TOLERANCE, check_parity
from robot_vision.models.card import Graph
from robot_vision.models.encoders.encoder import ENCODERS, EncoderChoice, build_encoder
from robot_vision.models.encoders.picture_encoder import PictureEncoder

MOST_TINY_PARAMETERS = 60_000


def with_its_package(name: str) -> object:
    package = ENCODERS.get(name).needs
    is_absent = bool(package) and find_spec(package) is None
    skip = pytest.mark.skipif(is_absent, reason=f"{package} is not installed")
    return pytest.param(name, marks=skip)


every_encoder = pytest.mark.parametrize("name", [with_its_package(name) for name in ENCODERS])


@every_encoder
def test_its_card_is_complete(name: str) -> None:
    card = ENCODERS.get(name)
    assert card.name == name
    assert card.about.endswith(".")
    assert card.licence
    assert isinstance(card.tiny, type(card.spec))
    assert sum(p.numel() for p in card.build(card.tiny).parameters()) <= MOST_TINY_PARAMETERS
    assert card.preparation.width_px % max(card.build(card.tiny).strides) == 0


@every_encoder
@pytest.mark.parametrize("steps", [(2, 3), (4, 1)])
def test_its_maps_have_the_declared_strides_and_channels(
    name: str, steps: tuple[int, int]
) -> None:
    encoder = tiny_encoder(name).eval()
    height, width = (max(encoder.strides) * count for count in steps)
    encoded = encode(encoder, pictures(2, height, width))
    assert list(encoder.strides) == sorted(encoder.strides)
    shapes = [tuple(m.shape) for m in encoded.maps]
    declared = zip(encoder.strides, encoder.channels, strict=True)
    assert shapes == [(2, c, height // stride, width // stride) for stride, c in declared]
    assert encoded.pooled.shape == (2, encoder.dim)
    assert all(m.isfinite().all() for m in (*encoded.maps, encoded.pooled))


@every_encoder
def test_every_trainable_parameter_gets_a_gradient(name: str) -> None:
    encoder = tiny_encoder(name).train()
    size = 2 * max(encoder.strides)
    encoded = encoder(pictures(3, size, size))
    draw = torch.Generator().manual_seed(2)
    outputs = (*encoded.maps, encoded.pooled)
    sums = [(x * torch.randn(x.shape, generator=draw)).sum() for x in outputs]
    torch.stack(sums).sum().backward()
    trained = {n: p for n, p in encoder.named_parameters() if p.requires_grad}
    assert trained
    assert [n for n, p in trained.items() if p.grad is None or not p.grad.any()] == []


@every_encoder
def test_samples_of_a_batch_do_not_influence_each_other(name: str) -> None:
    encoder = tiny_encoder(name).eval()
    size = 2 * max(encoder.strides)
    x = pictures(3, size, size)
    beside_one, beside_other = encode(encoder, x[:2]), encode(encoder, x[[0, 2]])
    for one, other in zip(beside_one.maps, beside_other.maps, strict=True):
        torch.testing.assert_close(one[0], other[0], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(beside_one.pooled[0], beside_other.pooled[0], rtol=1e-4, atol=1e-5)


@every_encoder
def test_it_says_in_onnx_what_it_says_in_torch(name: str, tmp_path: Path) -> None:
    encoder = tiny_picture_encoder(name).eval()
    height, width = 2 * max(encoder.strides), 3 * max(encoder.strides)
    draw = torch.Generator().manual_seed(3)
    rgb = torch.randint(0, 256, (2, height, width, 3), dtype=torch.uint8, generator=draw)
    outputs = {role: role for role in ("pooled", *(f"map{n}" for n in encoder.strides))}
    graph = Graph(
        file="encoder.onnx", module=_InOrder(encoder), example={"rgb": rgb}, outputs=outputs
    )
    file = export_graph(graph, tmp_path / graph.file)
    assert check_parity(graph, file, [{"rgb": rgb.numpy()}], most=TOLERANCE) <= TOLERANCE


class _InOrder(nn.Module):
    def __init__(self, encoder: PictureEncoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, rgb: Tensor) -> tuple[Tensor, ...]:
        encoded = self.encoder(rgb)
        return (encoded.pooled, *encoded.maps)


@every_encoder
def test_a_size_that_the_stride_does_not_divide_is_named_with_the_nearest(name: str) -> None:
    encoder = tiny_picture_encoder(name)
    stride = max(encoder.strides)
    height, width = 2 * stride + 1, 3 * stride - 1
    says = (
        rf"{width} x {height} px for {name}: .*stride of {stride} px divides; "
        rf"the nearest is {3 * stride} x {2 * stride}$"
    )
    with pytest.raises(ConfigError, match=says):
        encoder(torch.zeros(1, height, width, 3, dtype=torch.uint8))


@every_encoder
def test_options_that_it_does_not_have_are_named_with_those_it_has(name: str) -> None:
    fields = ", ".join(type(ENCODERS.get(name).spec).model_fields)
    with pytest.raises(ConfigError, match=rf"{name}.*colour = 'red': .*available: {fields}"):
        build_encoder(EncoderChoice(name=name, options={"colour": "red"}))
