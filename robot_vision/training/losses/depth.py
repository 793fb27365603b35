"""Loss of depth from colour, in logarithms: overall, and up to one factor per image."""

import torch.nn.functional as F
from torch import Tensor

# How much the first part forgives a global factor: λ in the paper.
_FORGIVEN = 0.5
_NEAREST_M = 1e-3


def depth_loss(depth_m: Tensor, true_m: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    """The sum of the scale-invariant error (Eigen et al., arXiv:1406.2283) and of the L1 error of
    log depth, and both detached.

    `true_m` [B,1,h,w] is 0 where unknown; `depth_m` [B,1,·,·] is resized to it. An image
    without any truth adds nothing.
    """
    if depth_m.shape[2:] != true_m.shape[2:]:
        depth_m = F.interpolate(depth_m, true_m.shape[2:], mode="bilinear", align_corners=False)
    known = true_m > 0
    error = (depth_m.clamp(min=_NEAREST_M).log() - true_m.clamp(min=_NEAREST_M).log()) * known
    pixels = known.sum(dim=(1, 2, 3)).clamp(min=1)
    mean = error.sum(dim=(1, 2, 3)) / pixels
    mean_square = error.square().sum(dim=(1, 2, 3)) / pixels
    parts = {
        "scale_invariant": (mean_square - _FORGIVEN * mean.square()).mean(),
        "log_l1": (error.abs().sum(dim=(1, 2, 3)) / pixels).mean(),
    }
    return parts["scale_invariant"] + parts["log_l1"], {n: p.detach() for n, p in parts.items()}
