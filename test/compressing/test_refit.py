"""Weights of a pruned model are refitted so that it answers like the whole one."""

import pytest
import torch
from torch import Tensor, nn

from robot_vision.compressing.pruning.channels import Wanted, prune_channels
from robot_vision.compressing.pruning.refit import refit
from robot_vision.models.card import Card
from robot_vision.models.registry import MODELS

pytest.importorskip("torch_pruning")


class Redundant(nn.Module):
    """Every other channel of the first layer is half of the channel before it."""

    def __init__(self, *, bias: bool) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, bias=bias)
        self.middle = nn.Conv2d(8, 8, 3, groups=8, bias=False)
        self.second = nn.Conv2d(8, 6, 3, stride=2, padding=1, bias=bias)
        self.last = nn.Linear(6, 4, bias=bias)
        with torch.no_grad():
            for layer in (self.first, self.middle):
                layer.weight[1::2] = layer.weight[::2]
            self.first.weight[1::2] /= 2
            if self.first.bias is not None:
                self.first.bias[1::2] = self.first.bias[::2] / 2

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        seen = self.second(self.middle(self.first(x)).relu()).relu()
        return {"answer": self.last(seen.mean(dim=(2, 3)))}


def noise(seed: int, *shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("bias", [True, False])
def test_channels_that_others_can_replace_cost_nothing(bias: bool) -> None:
    torch.manual_seed(0)
    whole = Redundant(bias=bias).eval()
    unseen = noise(9, 2, 3, 17, 19)
    wanted = Wanted(ratio=0.5, round_to=4, by="magnitude", ratios={"second": 0.01})
    pruned = prune_channels(whole, (unseen,), wanted)
    assert pruned.kept["first"] == (0, 2, 4, 6)
    expected = whole(unseen)["answer"]
    assert (pruned.model(unseen)["answer"] - expected).abs().max() > 0.01
    seen = [noise(seed, 4, 3, 17, 19) for seed in range(8)]
    refit(pruned.model, whole, pruned.kept, [lambda model, rgb=rgb: model(rgb) for rgb in seen])
    torch.testing.assert_close(pruned.model(unseen)["answer"], expected, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("name", ["native-s", "unet", "detr", "classifier"])
def test_answers_are_nearer_to_those_of_the_whole_model(name: str) -> None:
    card: Card = MODELS.get(name)
    torch.manual_seed(0)
    whole = card.build(card.tiny).eval()
    arguments = card.arguments(card.example(card.tiny, 2))
    pruned = prune_channels(whole, arguments, Wanted(ratio=0.5, round_to=2, by="magnitude"))

    def missing() -> float:
        with torch.no_grad():
            found, expected = pruned.model(*arguments), whole(*arguments)
        return sum(float((found[r] - v.float()).pow(2).mean()) for r, v in expected.items())

    before = missing()
    refit(pruned.model, whole, pruned.kept, [lambda model: model(*arguments)])
    assert missing() < before
