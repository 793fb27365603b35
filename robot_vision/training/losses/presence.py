"""Which classes a view shows, as targets for independent per-class outputs."""

import torch.nn.functional as F
from jaxtyping import Float32, Int64
from torch import Tensor


def shown_classes(class_id: Int64[Tensor, "b m"], classes: int) -> Float32[Tensor, "b c"]:
    """1 where a class is among a view's objects; -1 is padding."""
    padded = F.one_hot(class_id + 1, classes + 1)  # the first column is padding
    return padded[..., 1:].amax(dim=1).float()
