"""Self-supervised losses, as in their papers."""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, UInt8
from torch import Tensor


def nt_xent(
    one: Float[Tensor, "b d"], other: Float[Tensor, "b d"], *, temperature: float
) -> Float[Tensor, ""]:
    """Normalised temperature-scaled cross entropy of SimCLR (arXiv:2002.05709).

    `one` and `other` are projections of two views of the same samples: each is to be
    nearer to its partner, by cosine, than to the 2b − 2 views of the other samples.
    """
    both = F.normalize(torch.cat([one, other]), dim=1)
    alike = both @ both.T / temperature
    alike.fill_diagonal_(-torch.inf)
    partner = torch.arange(len(both), device=both.device).roll(len(one))
    return F.cross_entropy(alike, partner)


def teacher_share(
    logits: Float[Tensor, "n prototypes"],
    centre: Float[Tensor, " prototypes"],
    *,
    temperature: float,
) -> Float[Tensor, "n prototypes"]:
    """DINO's teacher output: logits [n,k] centred and sharpened, as shares of prototypes."""
    return ((logits - centre) / temperature).softmax(dim=1)


def dino_loss(
    student: Float[Tensor, "views b prototypes"],
    teacher: Float[Tensor, "large b prototypes"],
    *,
    temperature: float,
) -> Float[Tensor, ""]:
    """Cross entropy of DINO (arXiv:2104.14294), over all pairs of views that differ.

    `student` are logits of all views, `teacher` shares of the first of them, the large ones,
    without gradient: the same view is not compared with itself.
    """
    log_share = (student / temperature).log_softmax(dim=2)
    pairs = -torch.einsum("gbk,vbk->gv", teacher, log_share) / student.shape[1]
    is_other = ~torch.eye(len(teacher), len(student), dtype=torch.bool, device=student.device)
    return pairs[is_other].mean()


def patches_of(
    rgb: UInt8[Tensor, "b h w 3"], patch_px: int
) -> Float[Tensor, "b cells 3*{patch_px}**2"]:
    """Pixels 0 to 1 of the patches of pictures, row by row."""
    batch, height_px, width_px, _ = rgb.shape
    rows, columns = height_px // patch_px, width_px // patch_px
    cut = rgb.reshape(batch, rows, patch_px, columns, patch_px, 3).transpose(2, 3)
    return cut.reshape(batch, rows * columns, -1).float() / 255


def masked_pixels(
    found: Float[Tensor, "b cells pixels"],
    patches: Float[Tensor, "b cells pixels"],
    hidden: Bool[Tensor, "b cells"],
    *,
    normalised: bool,
) -> Float[Tensor, ""]:
    """Mean squared error of MAE (arXiv:2111.06377) over the hidden patches.

    With `normalised`, each patch is asked for without its mean and contrast.
    """
    if normalised:
        deviation = (patches.var(dim=2, keepdim=True) + 1e-6).sqrt()
        patches = (patches - patches.mean(dim=2, keepdim=True)) / deviation
    error = (found - patches).square().mean(dim=2)
    return error[hidden].mean()
