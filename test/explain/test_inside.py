"""Receptive fields, weights and architecture of networks of which these are known."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from robot_vision.explain.heat import ExplainError
from robot_vision.explain.inside.architecture import draw_architecture, follow
from robot_vision.explain.inside.receptive_field import fields
from robot_vision.explain.inside.weights import activations_of, draw_histograms, weights_of
from robot_vision.models.encoders.encoder import EncoderChoice
from robot_vision.models.encoders.picture_encoder import PictureEncoder


def test_receptive_fields_of_resnet18_are_those_that_are_known() -> None:
    """43, 99 and 211 px, as Araujo et al. (Distill, 2019) compute them; 435 px is not all seen."""
    encoder = PictureEncoder(EncoderChoice(name="resnet18", options={"width": 8})).eval()
    picture = torch.randint(0, 256, (1, 256, 256, 3))
    found = fields(encoder, lambda p: {"x": encoder(p).maps[-1]}, [picture])
    by_stride = {one.stride_px: one for one in found}
    assert [by_stride[s].can_px for s in (4, 8, 16)] == [(43, 43), (99, 99), (211, 211)]
    assert by_stride[32].can_px == (256, 256)
    for one in found:
        assert max(one.does_px) <= max(one.can_px) + 2


def test_a_layer_that_is_not_there_has_no_receptive_field() -> None:
    encoder = PictureEncoder(EncoderChoice(name="resnet18", options={"width": 8})).eval()
    picture = torch.randint(0, 256, (1, 64, 64, 3))
    with pytest.raises(ExplainError, match=r"layer 'net\.nowhere' has no places"):
        fields(encoder, lambda p: {"x": encoder(p).maps[-1]}, [picture], layers=["net.nowhere"])


def test_a_transformer_sees_all() -> None:
    options = {"width": 16, "heads": 2, "depth": 1, "grid": (4, 4)}
    encoder = PictureEncoder(EncoderChoice(name="vit-ti16", options=options)).eval()
    picture = torch.randint(0, 256, (1, 64, 64, 3))
    found = fields(encoder, lambda p: {"x": encoder(p).maps[-1]}, [picture])
    assert [one.sees_all for one in found if one.layer == "net.norm"] == [True]


class Squashed(nn.Module):
    """Of four channels one has weights of zero, and one far too large ones."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.active, self.squash = nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Sigmoid()
        assert self.first.bias is not None
        with torch.no_grad():
            self.first.weight[1] = 0
            self.first.weight[2].fill_(40)
            self.first.bias.copy_(torch.tensor([0.0, -1.0, 0.0, 0.0]))

    def forward(self, x: Tensor) -> Tensor:
        return self.squash(self.active(self.first(x)))


def test_dead_channels_rows_of_zeros_and_saturation_are_found(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = Squashed().eval()
    weights = weights_of(model)
    assert [(one.layer, one.zero_rows, one.rows) for one in weights] == [("first.weight", 1, 4)]
    picture = torch.rand(1, 3, 8, 8)
    found = {one.layer: one for one in activations_of(model, [lambda: {"x": model(picture)}])}
    assert found["active"].dead >= 1
    assert found["squash"].saturated == pytest.approx(0.25)
    assert found["squash"].lowest >= 0.5  # of values that are never below zero
    assert found["active"].lowest == 0
    file = tmp_path / "histograms.png"
    draw_histograms(file, weights, list(found.values()))
    assert file.stat().st_size > 1000


class Skip(nn.Module):
    """a → b, and a beside b into c."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = nn.Linear(3, 4), nn.Linear(4, 4), nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        first = self.a(x).relu()
        return self.c(torch.cat([first, self.b(first) * 2], dim=1))


def test_the_picture_of_an_architecture_has_what_feeds_what() -> None:
    model = Skip()
    nodes = follow(model, lambda: model(torch.zeros(1, 3)), depth=1)
    assert [(node.name, node.fed_by) for node in nodes] == [
        ("a", ()),
        ("b", ("a",)),
        ("c", ("a", "b")),
    ]
    assert [node.parameters for node in nodes] == [16, 20, 18]
    drawn = draw_architecture(nodes, title="skip <b>")
    assert drawn.count("<path") == 3
    assert "skip &lt;b&gt;" in drawn
    assert np.prod([node.shape for node in nodes][-1]) == 2
