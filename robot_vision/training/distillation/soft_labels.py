"""Soft labels: the student should match the teacher's class probabilities."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


def soft_label_loss(
    student: Float[Tensor, "b c"], teacher: Float[Tensor, "b c"], *, temperature: float
) -> Float[Tensor, ""]:
    """T² · KL(teacher ‖ student) of both logits over T, mean over samples (arXiv:1503.02531).

    T² keeps the gradients as large as those of hard labels, whatever the temperature.
    """
    said = (student / temperature).log_softmax(dim=1)
    taught = (teacher / temperature).log_softmax(dim=1)
    return F.kl_div(said, taught, reduction="batchmean", log_target=True) * temperature**2
