"""Maps: a linear projection of the student's features should align with the teacher's."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


class MapProjection(nn.Module):
    """The regressor of FitNets (arXiv:1412.6550), linear; only training needs it."""

    def __init__(self, student_channels: int, teacher_channels: int) -> None:
        super().__init__()
        self.project = nn.Conv2d(student_channels, teacher_channels, 1)

    def forward(
        self, student: Float[Tensor, "b c h w"], teacher: Float[Tensor, "b d rows columns"]
    ) -> Float[Tensor, ""]:
        """Mean over cells of 1 − cosine, from 0 to 2. The teacher's map takes the student's size.

        The length of a feature is free: norms of layers differ between models, and matter less.
        """
        if teacher.shape[2:] != student.shape[2:]:
            size = student.shape[2:]
            teacher = F.interpolate(teacher, size, mode="bilinear", align_corners=False)
        return (1 - F.cosine_similarity(self.project(student), teacher, dim=1)).mean()
