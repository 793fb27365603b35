"""Loss of depth from colour, in logarithms: overall, and up to one factor per image."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from robot_vision.models.loss import Loss

# How far a factor that is wrong everywhere is forgiven by the first part: λ of the paper.
_FORGIVEN = 0.5
_NEAREST_M = 1e-3


def depth_loss(depth_m: Float[Tensor, "b 1 _h _w"], true_m: Float[Tensor, "b 1 h w"]) -> Loss:
    """The sum of the scale-invariant error (Eigen et al., arXiv:1406.2283) and of the L1 error of
    log depth, and both detached.

    `true_m` is 0 where unknown; `depth_m` is brought to its size. An image without any truth adds
    nothing.
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
