"""Refits the layers of a pruned model by least squares, so that they answer like the whole one's.

Channel pruning by reconstruction (He et al. 2017, arXiv:1707.06168), without its search for
channels: in the order of execution, the weights of each layer are chosen so that its outputs from
the narrower inputs are as near as possible to those of the whole model. Errors of earlier layers
are thereby compensated in later ones.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack

import torch
import torch.nn.functional as F
from jaxtyping import Float, Float64
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

Run = Callable[[nn.Module], object]
# Of one call of a layer; more cells than weights, also in small maps.
_MOST_ROWS = 1000
# Share of the mean squared input by which weights are held to those before: it decides where
# inputs do not.
_HELD = 1e-4


@torch.no_grad()
def refit(
    narrow: nn.Module, whole: nn.Module, kept: Mapping[str, Sequence[int]], runs: Sequence[Run]
) -> None:
    """Change the weights of `narrow` in place, in its order of execution.

    `kept` are the output channels of `whole` that a layer still has, all where it is not named;
    each of `runs` passes the same batch through the model that it is given. Both models are in
    evaluation mode. Depthwise and transposed convolutions, and those that pad with other values
    than zero, stay as they are.
    """
    wanted = _seen(whole, _mixing(whole), runs, lambda layer, _, found: _outputs(layer, found))
    for name in wanted:
        layer = narrow.get_submodule(name)
        inputs = _seen(narrow, [name], runs, lambda layer, given, _: _inputs(layer, given))[name]
        answers = wanted[name]
        if name in kept:
            answers = answers[:, torch.tensor(kept[name])]
        _fit(layer, inputs, answers)


def _mixing(model: nn.Module) -> list[str]:
    """Names of the layers whose outputs are weighted sums over all channels."""
    return [
        name
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear)
        or (
            isinstance(module, nn.Conv2d)
            and module.groups == 1
            and module.padding_mode == "zeros"
            and not isinstance(module.padding, str)
        )
    ]


def _seen(
    model: nn.Module,
    names: Sequence[str],
    runs: Sequence[Run],
    rows_of: Callable[[nn.Module, Tensor, Tensor], Tensor],
) -> dict[str, Float64[Tensor, "_n _c"]]:
    """Rows of each layer's calls, by input and output, in the order of the first calls."""
    found: dict[str, list[Tensor]] = defaultdict(list)

    def watched(name: str) -> RemovableHandle:
        return model.get_submodule(name).register_forward_hook(
            lambda layer, given, output: found[name].append(
                _some(rows_of(layer, given[0], output))
            )
        )

    with ExitStack() as hooks:
        for name in names:
            hooks.callback(watched(name).remove)
        for run in runs:
            run(model)
    return {name: torch.cat(rows) for name, rows in found.items()}


def _some(rows: Float[Tensor, "n c"]) -> Float64[Tensor, "some c"]:
    """The same rows of both models, spread over pictures and places."""
    draw = torch.Generator().manual_seed(0)
    return rows[torch.randperm(len(rows), generator=draw)[:_MOST_ROWS]].double()


def _inputs(layer: nn.Module, given: Float[Tensor, "b ..."]) -> Float[Tensor, "n i"]:
    """What each output is a weighted sum of; with a column of ones if the layer has a bias."""
    if isinstance(layer, nn.Conv2d):
        padding = layer.padding
        assert not isinstance(padding, str)
        sides = (layer.kernel_size, layer.dilation, padding, layer.stride)
        given = F.unfold(given, *sides).transpose(1, 2)
    rows = given.flatten(0, -2)
    return rows if layer.bias is None else torch.cat([rows, rows.new_ones(len(rows), 1)], dim=1)


def _outputs(layer: nn.Module, found: Float[Tensor, "b ..."]) -> Float[Tensor, "n o"]:
    if isinstance(layer, nn.Conv2d):
        found = found.flatten(2).transpose(1, 2)
    return found.flatten(0, -2)


def _fit(
    layer: nn.Module, inputs: Float64[Tensor, "n i"], answers: Float64[Tensor, "n o"]
) -> None:
    """Ridge regression around the present weights."""
    assert isinstance(layer, nn.Conv2d | nn.Linear)
    weights = layer.weight.flatten(1).double()
    if layer.bias is not None:
        weights = torch.cat([weights, layer.bias[:, None].double()], dim=1)
    squares = inputs.T @ inputs
    held = _HELD * squares.diagonal().mean().clamp(min=1e-12)
    missing = inputs.T @ (answers - inputs @ weights.T)
    weights = weights + torch.linalg.solve(squares + held * torch.eye(len(squares)), missing).T
    if layer.bias is not None:
        layer.bias.copy_(weights[:, -1])
        weights = weights[:, :-1]
    layer.weight.copy_(weights.reshape(layer.weight.shape))
