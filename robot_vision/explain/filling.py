"""A batch of partly hidden pictures."""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Real
from torch import Tensor

from robot_vision.explain.question import Question


def hidden(
    question: Question, masks: Bool[Tensor, "n h w"], filling: Real[Tensor, "1 _ _ _"]
) -> dict[str, Tensor]:
    """The question's inputs once per mask: `filling` and no depth where the mask is true."""
    picture = question.inputs[question.picture]
    spread = masks[:, None] if question.is_planar else masks[..., None]
    if picture.dim() == 5:  # a policy's history: only the newest picture, which is the last
        newest = torch.where(spread, filling, picture[:, -1])
        older = picture[:, :-1].expand(len(masks), *picture[:, :-1].shape[1:])
        inputs = question.with_pictures(torch.cat([older, newest[:, None]], dim=1))
    else:
        inputs = question.with_pictures(torch.where(spread, filling, picture))
    depth = question.subject.image.depth_name
    if depth in inputs:  # [b,1,h,w], or [b,n,h,w] with a policy's history
        older, newest = inputs[depth][:, :-1], inputs[depth][:, -1:]
        inputs[depth] = torch.cat([older, torch.where(masks[:, None], 0.0, newest)], dim=1)
    return inputs


def mean_color(picture: Real[Tensor, "b ..."], question: Question) -> Real[Tensor, "b _ _ _"]:
    """The picture's mean colour: its edges are weaker than those of black or white."""
    newest = _newest(picture).float()
    mean = newest.mean(dim=(2, 3) if question.is_planar else (1, 2), keepdim=True)
    return mean.round().to(picture.dtype) if picture.dtype == torch.uint8 else mean


def blurred(
    picture: Real[Tensor, "b ..."], question: Question, *, cells: int = 4
) -> Real[Tensor, "b _ _ _"]:
    """The picture reduced to a few cells: the end point of deletion."""
    newest = _newest(picture).float()
    planes = newest if question.is_planar else newest.permute(0, 3, 1, 2)
    coarse = F.adaptive_avg_pool2d(planes, cells)
    smooth = F.interpolate(coarse, size=planes.shape[2:], mode="bilinear")
    back = smooth if question.is_planar else smooth.permute(0, 2, 3, 1)
    return back.round().to(picture.dtype) if picture.dtype == torch.uint8 else back


def _newest(picture: Real[Tensor, "b ..."]) -> Real[Tensor, "b _ _ _"]:
    return picture[:, -1] if picture.dim() == 5 else picture
