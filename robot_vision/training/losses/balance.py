"""Balances several tasks: by fixed weights, or by learnt uncertainty."""

import math
from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

from robot_vision.models.loss import Loss

_LARGEST_LOG_SCALE = math.log(10.0)


class TaskBalance(nn.Module):
    """The balanced sum of the losses of tasks.

    Fixed: the sum of w·L. Learnt (Kendall et al., arXiv:1705.07115): of w·(L·exp(−s) + s), whose
    minimum in s is where exp(s) equals L. A balanced loss may fall below zero, and a
    growing s may hide a growing loss; `figures` therefore also shows the raw ones. A
    task's multiplier stays positive, within a factor of ten of its weight.
    """

    def __init__(self, weights: Mapping[str, float], *, is_learnt: bool) -> None:
        super().__init__()
        self.weights = dict(weights)
        self.log_scale = nn.ParameterDict(
            {name: nn.Parameter(torch.zeros(())) for name in weights} if is_learnt else {}
        )

    def forward(self, losses: Mapping[str, Float[Tensor, ""]]) -> Loss:
        """The total, and for each task its raw loss, its balanced loss and its multiplier."""
        balanced, figures = [], {}
        for name, loss in losses.items():
            log_scale = self._log_scale(name, like=loss)
            factor = self.weights[name] * torch.exp(-log_scale)
            balanced.append(factor * loss + self.weights[name] * log_scale)
            figures |= {
                name: loss.detach(),
                f"{name}_balanced": balanced[-1].detach(),
                f"{name}_factor": factor.detach(),
            }
        return torch.stack(balanced).sum(), figures

    def _log_scale(self, name: str, *, like: Float[Tensor, ""]) -> Float[Tensor, ""]:
        if name not in self.log_scale:
            return torch.zeros_like(like)
        return self.log_scale[name].clamp(-_LARGEST_LOG_SCALE, _LARGEST_LOG_SCALE)
