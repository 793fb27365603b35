"""Self-supervised losses, as in their papers."""

import torch
import torch.nn.functional as F
from torch import Tensor


def nt_xent(one: Tensor, other: Tensor, *, temperature: float) -> Tensor:
    """Normalised temperature-scaled cross entropy of SimCLR (arXiv:2002.05709).

    `one` and `other` f32 [b,d] are projections of two views of the same samples: each should be
    nearer to its partner, by cosine, than to the 2b − 2 views of the other samples.
    """
    both = F.normalize(torch.cat([one, other]), dim=1)
    alike = both @ both.T / temperature
    alike.fill_diagonal_(-torch.inf)
    partner = torch.arange(len(both), device=both.device).roll(len(one))
    return F.cross_entropy(alike, partner)


def teacher_share(logits: Tensor, centre: Tensor, *, temperature: float) -> Tensor:
    """DINO's teacher output: logits [n,k] centred and sharpened, as shares of prototypes."""
    return ((logits - centre) / temperature).softmax(dim=1)


def dino_loss(student: Tensor, teacher: Tensor, *, temperature: float) -> Tensor:
    """Cross entropy of DINO (arXiv:2104.14294), over all pairs of views that differ.

    `student` f32 [v,b,k] are logits of all views, `teacher` f32 [g,b,k] shares of the first g of
    them, without gradient: the same view is not compared with itself.
    """
    log_share = (student / temperature).log_softmax(dim=2)
    pairs = -torch.einsum("gbk,vbk->gv", teacher, log_share) / student.shape[1]
    is_other = ~torch.eye(len(teacher), len(student), dtype=torch.bool, device=student.device)
    return pairs[is_other].mean()


def patches_of(rgb: Tensor, patch_px: int) -> Tensor:
    """Pixels 0 to 1 of the patches of pictures u8 [b,h,w,3], row by row: f32 [b,n,p]."""
    batch, height_px, width_px, _ = rgb.shape
    rows, columns = height_px // patch_px, width_px // patch_px
    cut = rgb.reshape(batch, rows, patch_px, columns, patch_px, 3).transpose(2, 3)
    return cut.reshape(batch, rows * columns, -1).float() / 255


def masked_pixels(found: Tensor, patches: Tensor, hidden: Tensor, *, normalised: bool) -> Tensor:
    """Mean squared error of MAE (arXiv:2111.06377) over the hidden patches.

    `found` and `patches` f32 [b,n,p], `hidden` bool [b,n]. With `normalised`, each patch is asked
    for without its mean and contrast.
    """
    if normalised:
        deviation = (patches.var(dim=2, keepdim=True) + 1e-6).sqrt()
        patches = (patches - patches.mean(dim=2, keepdim=True)) / deviation
    error = (found - patches).square().mean(dim=2)
    return error[hidden].mean()
