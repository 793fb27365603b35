"""Short sequences from stills: the view drifts, zooms and rotates from frame to frame.

Real sequences also show objects from other sides; these show what a memory needs first: the
same objects, slightly moved, with their depth intermittently available.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Float32, Int64, UInt8
from torch import Tensor

from robot_vision.core.parameters.params import Params, param
from robot_vision.training.data.samples.samples import PAD_VALUE, Batch


class Drift(Params):
    """Maximum motion of a view between two frames, in either direction, and withheld inputs."""

    frames: int = param(3, "frames of a sequence", ge=1, le=64)
    shift: float = param(0.08, "of half the picture's sides", ge=0, le=1)
    zoom: float = param(0.04, "relative growth of the view", ge=0, lt=1)
    turn_rad: float = param(0.05, "about the optical axis", unit="rad", ge=0, le=1)
    depth_withheld: float = param(0.2, "part of frames without depth", ge=0, le=1)
    history_withheld: float = param(
        0.2, "part of frames before which the memory is reset", ge=0, le=1
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class FrameSequence:
    """Frames of sequences; `instances` are at a quarter of the size.

    `keeps_history` is false where the memory is withheld. Column i of `class_id` is the class of
    the instance 1 + i, −1 where there is none.
    """

    rgb: UInt8[Tensor, "b t h w 3"]
    depth_m: Float32[Tensor, "b t 1 h w"]
    instances: UInt8[Tensor, "b t hm wm"]
    keeps_history: Bool[Tensor, "b t"]
    class_id: Int64[Tensor, "b m"]


def drifting(batch: Batch, drift: Drift) -> FrameSequence:
    """A sequence from each sample, which is its first frame; drawn from torch's generators."""
    count, device = len(batch.rgb), batch.rgb.device
    speed = torch.rand(count, 4, device=device) * 2 - 1
    chance = torch.rand(2, count, drift.frames, device=device)
    frames = [_moved(batch, speed * frame, drift) for frame in range(drift.frames)]
    rgb, depth_m, instances = (torch.stack(part, dim=1) for part in zip(*frames, strict=True))
    has_depth = chance[0] >= drift.depth_withheld
    return FrameSequence(
        rgb=rgb,
        depth_m=depth_m * has_depth[:, :, None, None, None],
        instances=instances,
        keeps_history=chance[1] >= drift.history_withheld,
        class_id=batch.class_id,
    )


def _moved(
    batch: Batch, way: Float[Tensor, "b 4"], drift: Drift
) -> tuple[UInt8[Tensor, "b h w 3"], Float[Tensor, "b 1 h w"], UInt8[Tensor, "b hm wm"]]:
    """Colour, depth and instances after a motion [b,4]: right, down, nearer and around."""
    nearer = (1 + drift.zoom) ** way[:, 2]
    theta = _affine(way[:, :2] * drift.shift, nearer, way[:, 3] * drift.turn_rad, batch.rgb)
    size = list(batch.depth_m.shape)
    grid = F.affine_grid(theta, size, align_corners=False)
    planes = batch.rgb.permute(0, 3, 1, 2).float() - PAD_VALUE
    rgb = F.grid_sample(planes, grid, align_corners=False) + PAD_VALUE
    depth_m = F.grid_sample(batch.depth_m, grid, mode="nearest", align_corners=False)
    quarter = F.affine_grid(theta, [*size[:2], *batch.instances.shape[1:]], align_corners=False)
    instances = F.grid_sample(
        batch.instances[:, None].float(), quarter, mode="nearest", align_corners=False
    )
    pixels = rgb.round().to(torch.uint8).permute(0, 2, 3, 1).contiguous()
    return pixels, depth_m / nearer[:, None, None, None], instances[:, 0].to(torch.uint8)


def _affine(
    shift: Float[Tensor, "b 2"],
    nearer: Float[Tensor, " b"],
    turn_rad: Float[Tensor, " b"],
    rgb: UInt8[Tensor, "b h w 3"],
) -> Float[Tensor, "b 2 3"]:
    """The transform to the frame's source pixels, [b,2,3] in halves of the picture's sides."""
    ratio = rgb.shape[1] / rgb.shape[2]  # a rotation preserves right angles in pixels
    cos, sin = turn_rad.cos() / nearer, turn_rad.sin() / nearer
    right = torch.stack([cos, -sin * ratio, shift[:, 0]], dim=1)
    down = torch.stack([sin / ratio, cos, shift[:, 1]], dim=1)
    return torch.stack([right, down], dim=1)
