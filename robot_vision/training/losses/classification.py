"""Cross-entropy of classes against targets that may be mixed, smoothed and weighted."""

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor

ClassWeighting = Literal["none", "inverse", "effective_number"]


def class_weights(counts: Sequence[int], weighting: ClassWeighting) -> Float[Tensor, " c"]:
    """Weights of classes by frequency; their mean over samples is 1.

    `inverse`: 1 / n. `effective_number`: (1 − β) / (1 − βⁿ) with β = 1 − 1/N of all N samples
    (Cui et al., arXiv:1901.05555), between `inverse` and none. A class without samples has 0.
    """
    n = torch.tensor(counts, dtype=torch.float64)
    if weighting == "none":
        return torch.ones(len(counts))
    if weighting == "inverse":
        weight = 1 / n.clamp(min=1)
    else:
        beta = 1 - 1 / n.sum().clamp(min=2)
        weight = (1 - beta) / (1 - beta ** n.clamp(min=1))
    weight = torch.where(n > 0, weight, 0.0)
    return (weight * n.sum() / (weight * n).sum()).float()


def soft_targets(
    class_id: Int64[Tensor, " b"], classes: int, *, smoothing: float
) -> Float[Tensor, "b c"]:
    """The target of each class: 1 for the true one, `smoothing` of it spread over all."""
    return F.one_hot(class_id, classes) * (1 - smoothing) + smoothing / classes


def soft_cross_entropy(
    logits: Float[Tensor, "b c"], target: Float[Tensor, "b c"], weight: Float[Tensor, " c"]
) -> Float[Tensor, ""]:
    """Mean over samples of −Σ weight · target · log p."""
    return -(weight * target * logits.log_softmax(dim=1)).sum(dim=1).mean()
