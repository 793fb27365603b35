"""Channels are pruned by group, exactly, or refused with the reason; weights rebuild the model."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from robot_vision.compressing.pruning.answers import answering_layers
from robot_vision.compressing.pruning.channels import Wanted, prune_channels
from robot_vision.core.errors import ConfigError
from robot_vision.models.card import Card
from robot_vision.models.registry import MODELS
from robot_vision.models.weights import Weights, load_exactly, read_weights, write_weights

pytest.importorskip("torch_pruning")
HALF = Wanted(ratio=0.5, round_to=2, by="magnitude")


def of_pictures() -> list[str]:
    cards = [MODELS.get(name) for name in MODELS]
    return [card.name for card in cards if card.serving and card.serving.image]


def built(card: Card[Any]) -> nn.Module:
    torch.manual_seed(0)
    return card.build(card.tiny).eval()


@pytest.mark.parametrize("name", of_pictures())
def test_every_vision_model_is_pruned_and_made_again_from_its_weights(
    name: str, tmp_path: Path
) -> None:
    card = MODELS.get(name)
    model = built(card)
    arguments = card.arguments(card.example(card.tiny, 2))
    pruned = prune_channels(model, arguments, HALF)
    assert all(now < before for now, before in pruned.widths.values())
    file = tmp_path / "weights.safetensors"
    tensors = pruned.model.state_dict()
    write_weights(file, Weights(file=file, tensors=tensors, model=name, pruned=True))
    again = built(card)
    load_exactly(again, read_weights(file), name=name)
    with torch.no_grad():
        expected, found = pruned.model(*arguments), again.eval()(*arguments)
        whole = model(*arguments)
    for role, value in found.items():
        assert value.shape == whole[role].shape
        torch.testing.assert_close(value, expected[role])


class Toy(nn.Module):
    """A convolution, something between, and a layer that answers."""

    def __init__(self, between: nn.Module) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3)
        self.norm = nn.BatchNorm2d(8)
        self.between = between
        self.last = nn.Conv2d(8, 4, 1)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        return {"answer": self.last(self.between(self.norm(self.first(x)))) * 2 + 1}


class MeanOverChannels(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x - x.mean(dim=1, keepdim=True)


PICTURES = (torch.rand(2, 3, 9, 9, generator=torch.Generator().manual_seed(0)),)


def toy(between: nn.Module) -> Toy:
    torch.manual_seed(0)
    model = Toy(between).eval()
    model.norm.weight.data = torch.tensor([5.0, 0.1, 4.0, 0.2, 3.0, 0.3, 2.0, 1.0])
    return model


def test_layers_that_answer_keep_their_channels() -> None:
    model = toy(nn.ReLU())
    assert answering_layers(model, model(*PICTURES)) == {"last"}
    assert list(prune_channels(model, PICTURES, HALF).widths) == ["first"]


def test_a_mean_over_channels_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"nothing .* pruned\. first: without these channels"):
        prune_channels(toy(MeanOverChannels()), PICTURES, HALF)


def test_by_scale_of_batch_norm_the_least_scaled_go() -> None:
    wanted = Wanted(ratio=0.5, round_to=2, by="bn_scale")
    pruned = prune_channels(toy(nn.ReLU()), PICTURES, wanted).model
    assert pruned.get_submodule("norm").weight.tolist() == [5.0, 4.0, 3.0, 2.0]


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted(ratio=0.3, round_to=8, by="magnitude"),
        Wanted(ratio=0.6, round_to=4, by="magnitude", ratios={"first": 0.0}),
    ],
    ids=["by the multiple", "by the pattern"],
)
def test_what_would_lose_nothing_is_named(wanted: Wanted) -> None:
    with pytest.raises(ConfigError, match="8 channels, nothing to lose at a multiple of"):
        prune_channels(toy(nn.ReLU()), PICTURES, wanted)


def test_widths_are_multiples() -> None:
    wanted = Wanted(ratio=0.6, round_to=4, by="magnitude")
    assert prune_channels(toy(nn.ReLU()), PICTURES, wanted).widths == {"first": (4, 8)}


def test_weights_of_a_pruned_model_need_to_say_so(tmp_path: Path) -> None:
    card = MODELS.get("simple-cnn")
    model = built(card)
    pruned = prune_channels(model, card.arguments(card.example(card.tiny, 2)), HALF).model
    weights = Weights(file=tmp_path / "w", tensors=pruned.state_dict(), model=card.name)
    with pytest.raises(ConfigError, match="does not fit"):
        load_exactly(model, weights, name=card.name)


def test_a_pruned_file_cannot_be_wider(tmp_path: Path) -> None:
    card = MODELS.get("simple-cnn")
    tensors = {
        n: torch.cat([t, t]) if t.ndim == 4 else t for n, t in built(card).state_dict().items()
    }
    weights = Weights(file=tmp_path / "w", tensors=tensors, model=card.name, pruned=True)
    with pytest.raises(ConfigError, match="expected at most"):
        load_exactly(built(card), weights, name=card.name)
