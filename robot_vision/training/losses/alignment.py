"""Contrast of pictures and texts: each must find its own in the batch, both ways."""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor


def contrastive_loss(
    picture: Float[Tensor, "b d"],
    text: Float[Tensor, "b d"],
    scale: Float[Tensor, ""],
    same: Bool[Tensor, "b b"],
    *,
    wrong: Float[Tensor, "b k d"],
    has_wrong: Bool[Tensor, "b k"],
) -> Float[Tensor, ""]:
    """Symmetric InfoNCE over unit-norm embeddings (CLIP, arXiv:2103.00020, its figure 3).

    Each picture must also reject texts that are `wrong` for it alone, such as its caption with
    another colour (NegCLIP, arXiv:2210.01936), where it has such a text.

    `scale` multiplies the similarities. Where `same`, two captions mean the same, so neither
    is wrong for the other's picture: such pairs are left out of the sums. A diagonal is kept.
    """
    own = torch.eye(len(picture), dtype=torch.bool, device=picture.device)
    logits = (scale * picture @ text.T).masked_fill(same & ~own, float("-inf"))
    target = torch.arange(len(picture), device=picture.device)
    swapped = (scale * torch.einsum("bd,bkd->bk", picture, wrong)).masked_fill(
        ~has_wrong, float("-inf")
    )
    of_pictures = F.cross_entropy(torch.cat([logits, swapped], dim=1), target)
    return (of_pictures + F.cross_entropy(logits.T, target)) / 2


def hits(picture: Float[Tensor, "b d"], text: Float[Tensor, "b d"]) -> Float[Tensor, ""]:
    """Share of pictures whose own caption is the nearest in the batch."""
    target = torch.arange(len(picture), device=picture.device)
    return ((picture @ text.T).argmax(dim=1) == target).float().mean()
