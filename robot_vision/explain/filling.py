"""Pictures of which a part is hidden, as a batch."""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Real
from torch import Tensor

from robot_vision.explain.question import Question


def hidden(
    question: Question, masks: Bool[Tensor, "n h w"], filling: Real[Tensor, "1 _ _ _"]
) -> dict[str, Tensor]:
    """Inputs of the question once for each mask: `filling` where it says, and no depth there."""
    picture = question.inputs[question.picture]
    spread = masks[:, None] if question.is_planar else masks[..., None]
    if picture.dim() == 5:  # of several pictures of a policy the newest, which is the last
        newest = torch.where(spread, filling, picture[:, -1])
        older = picture[:, :-1].expand(len(masks), *picture[:, :-1].shape[1:])
        inputs = question.with_pictures(torch.cat([older, newest[:, None]], dim=1))
    else:
        inputs = question.with_pictures(torch.where(spread, filling, picture))
    depth = question.subject.image.depth_name
    if depth in inputs:  # [b,1,h,w], or [b,n,h,w] of several moments of a policy
        older, newest = inputs[depth][:, :-1], inputs[depth][:, -1:]
        inputs[depth] = torch.cat([older, torch.where(masks[:, None], 0.0, newest)], dim=1)
    return inputs


def mean_color(picture: Real[Tensor, "b ..."], question: Question) -> Real[Tensor, "b _ _ _"]:
    """The picture's mean, which hides without an edge as bright as black or white would have."""
    newest = _newest(picture).float()
    mean = newest.mean(dim=(2, 3) if question.is_planar else (1, 2), keepdim=True)
    return mean.round().to(picture.dtype) if picture.dtype == torch.uint8 else mean


def blurred(
    picture: Real[Tensor, "b ..."], question: Question, *, cells: int = 4
) -> Real[Tensor, "b _ _ _"]:
    """The picture with nothing finer than a few cells: what deletion ends with."""
    newest = _newest(picture).float()
    planes = newest if question.is_planar else newest.permute(0, 3, 1, 2)
    coarse = F.adaptive_avg_pool2d(planes, cells)
    smooth = F.interpolate(coarse, size=planes.shape[2:], mode="bilinear")
    back = smooth if question.is_planar else smooth.permute(0, 2, 3, 1)
    return back.round().to(picture.dtype) if picture.dtype == torch.uint8 else back


def _newest(picture: Real[Tensor, "b ..."]) -> Real[Tensor, "b _ _ _"]:
    return picture[:, -1] if picture.dim() == 5 else picture
