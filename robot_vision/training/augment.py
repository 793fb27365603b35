"""Random changes of samples, on the device that trains: one warp, light and lens, less depth.

The warp is torch's own, because boxes, depth and the focal length follow it; light and lens are
kornia's. Everything is drawn from torch's global generators: seed them for the same batch again.
"""

from dataclasses import dataclass

import kornia.augmentation as K
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from robot_vision.training.dataset import MILLIMETRES_PER_METRE, PAD_VALUE, Batch, SampleStack
from robot_vision.training.recipe import Augmentation

SMALLEST_BOX_PX = 2.0
SMALLEST_VISIBLE_PART = 0.25
MAX_HOLES = 6
_LIGHT = 0.25
_HUE = 0.02
_DULLEST, _VIVID_RANGE = 0.3, 1.0


class Augmenter:
    """Samples of a stack, changed at random, as a batch of the size asked for.

    Mirror, zoom, shift and crop; brightness, contrast, colour, blur; depth withheld or with
    holes. A crop holds an object where there is one. Sizes below the sample's are crops, not
    smaller pictures: objects keep the size that they have in service, so that what is learnt on
    cheap crops serves on whole views. Zoom leaves metric depth as it is and lengthens the focal
    length: the same scene through a longer lens.
    """

    def __init__(self, options: Augmentation) -> None:
        self._options = options
        self._lens = nn.Sequential(
            K.ColorJiggle(_LIGHT, _LIGHT, _LIGHT, _HUE, p=options.color),
            K.RandomGaussianBlur((5, 5), (0.1, 1.5), p=options.color / 2),
        )

    @torch.no_grad()
    def __call__(
        self, stack: SampleStack, rows: Tensor, *, width_px: int, height_px: int
    ) -> Batch:
        device = stack.planes.device
        rows = rows.to(device)
        planes, class_id, boxes_xyxy = (
            all_rows[rows] for all_rows in (stack.planes, stack.class_id, stack.boxes_xyxy)
        )
        warp = self._draw(planes, boxes_xyxy, class_id, width_px=width_px, height_px=height_px)
        rgb, measured = _warped(planes, warp)
        rgb, hue_turned = self._turn_hues(rgb)
        boxes_xyxy, kept = _warp_boxes(boxes_xyxy, warp)
        class_id = torch.where(kept, class_id, -1)
        numbers = torch.arange(1, class_id.shape[1] + 1, device=device).expand_as(class_id)
        return Batch(
            rgb=self._through_lens(rgb),
            hue_turned=hue_turned,
            depth_m=self._degrade(measured[:, 1:2]),
            focal_px=(stack.focal_px[rows] * warp.scale)[:, None],
            depth_true_m=measured[:, 2:3, 2::4, 2::4],
            instances=measured[:, 0, 2::4, 2::4].to(torch.uint8),
            boxes_xyxy=torch.where(kept[..., None], boxes_xyxy, 0.0),
            class_id=class_id,
            color_id=torch.where(kept, stack.color_id[rows], -1),
            instance_id=torch.where(kept, numbers, 0),
        )

    def _draw(
        self,
        planes: Tensor,
        boxes_xyxy: Tensor,
        class_id: Tensor,
        *,
        width_px: int,
        height_px: int,
    ) -> "Warp":
        options, count, device = self._options, len(planes), planes.device
        size = torch.tensor([planes.shape[2], planes.shape[1]], device=device)
        out_size = torch.tensor([width_px, height_px], device=device)
        scale = torch.empty(count, device=device).uniform_(options.scale_min, options.scale_max)
        window = out_size / scale[:, None]
        near = _random_object(boxes_xyxy, class_id, otherwise=size / 2)
        near = near + (torch.rand(count, 2, device=device) - 0.5) * 0.8 * window
        low = torch.minimum(window / 2, size - window / 2)
        high = torch.maximum(window / 2, size - window / 2)
        shift = (torch.rand(count, 2, device=device) * 2 - 1) * options.shift * size
        flip = torch.where(torch.rand(count, device=device) < options.flip, -1.0, 1.0)
        return Warp(
            center=near.clamp(low, high) + shift,
            scale=scale,
            flip=flip,
            width_px=width_px,
            height_px=height_px,
        )

    def _turn_hues(self, rgb: Tensor) -> tuple[Tensor, Tensor]:
        """All hues of some samples turned by the same angle, more or less vivid; and which."""
        chance, angle, vivid = torch.rand(3, len(rgb), device=rgb.device)
        turned = chance < self._options.hue
        turns = hue_turns(2 * torch.pi * angle, saturation=_DULLEST + _VIVID_RANGE * vivid)
        changed = torch.einsum("bij,bjhw->bihw", turns, rgb).clamp(0, 255)
        return torch.where(turned[:, None, None, None], changed, rgb), turned

    def _through_lens(self, rgb: Tensor) -> Tensor:
        seen = self._lens(rgb / 255).clamp(0, 1)
        return (seen * 255).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous()

    def _degrade(self, depth_m: Tensor) -> Tensor:
        chance = torch.rand(2, len(depth_m), 1, 1, 1, device=depth_m.device)
        holed = torch.where(chance[0] < self._options.depth_holes, punch_holes(depth_m), depth_m)
        return torch.where(chance[1] < self._options.depth_withheld, 0.0, holed)


@dataclass(frozen=True, kw_only=True, eq=False)
class Warp:
    """A view of each sample: of size `width_px` × `height_px` around `center` [B,2], in pixels of
    the sample, enlarged by `scale` [B] and mirrored where `flip` [B] is −1."""

    center: Tensor
    scale: Tensor
    flip: Tensor
    width_px: int
    height_px: int

    @property
    def gain(self) -> Tensor:
        """Pixels of the view per pixel of the sample, across and down: [B,2]."""
        return torch.stack([self.scale * self.flip, self.scale], dim=1)


def _random_object(boxes_xyxy: Tensor, class_id: Tensor, *, otherwise: Tensor) -> Tensor:
    """The middle of an object of each sample, or a place for samples without any: [B,2]."""
    chance = torch.rand(class_id.shape, device=class_id.device) * (class_id >= 0)
    chosen = chance.argmax(dim=1)[:, None, None].expand(-1, 1, 4)
    low, high = boxes_xyxy.gather(1, chosen)[:, 0].split(2, dim=1)
    has_any = (class_id >= 0).any(dim=1, keepdim=True)
    return torch.where(has_any, (low + high) / 2, otherwise)


def _warped(planes: Tensor, warp: Warp) -> tuple[Tensor, Tensor]:
    """Colour 0 to 255 [B,3,h,w]; instances, sensor depth and true depth in metres [B,3,h,w]."""
    size = torch.tensor([planes.shape[2], planes.shape[1]], device=planes.device)
    out_size = torch.tensor([warp.width_px, warp.height_px], device=planes.device)
    theta = torch.zeros(len(planes), 2, 3, device=planes.device)
    theta[:, :, :2] = torch.diag_embed(out_size / size / warp.gain)
    theta[:, :, 2] = 2 * warp.center / size - 1
    shape = [len(planes), 3, warp.height_px, warp.width_px]
    grid = F.affine_grid(theta, shape, align_corners=False)
    values = planes.permute(0, 3, 1, 2).to(torch.float32)
    color = F.grid_sample(values[:, :3] - PAD_VALUE, grid, align_corners=False) + PAD_VALUE
    depth_m = (values[:, 4::2] + 256 * values[:, 5::2]) / MILLIMETRES_PER_METRE
    exact = torch.cat([values[:, 3:4], depth_m], dim=1)
    return color, F.grid_sample(exact, grid, mode="nearest", align_corners=False)


def _warp_boxes(boxes_xyxy: Tensor, warp: Warp) -> tuple[Tensor, Tensor]:
    """Boxes in the view, clipped to it, and which of them are still to be seen."""
    out_size = torch.tensor([warp.width_px, warp.height_px], device=boxes_xyxy.device)
    corners = boxes_xyxy.unflatten(2, (2, 2))
    moved = (corners - warp.center[:, None, None]) * warp.gain[:, None, None] + out_size / 2
    low, high = moved.amin(dim=2), moved.amax(dim=2)
    seen_low = torch.minimum(low.clamp(min=0), out_size)
    seen_high = torch.minimum(high.clamp(min=0), out_size)
    seen = seen_high - seen_low
    part = seen.prod(dim=2) / (high - low).prod(dim=2).clamp(min=1e-6)
    kept = (part >= SMALLEST_VISIBLE_PART) & (seen >= SMALLEST_BOX_PX).all(dim=2)
    return torch.cat([seen_low, seen_high], dim=2), kept


def hue_turns(angle_rad: Tensor, *, saturation: Tensor) -> Tensor:
    """Matrices [B,3,3] that turn RGB about the axis of greys, which they leave as they are."""
    device = angle_rad.device
    grey = torch.full((3, 3), 1 / 3, device=device)
    around = torch.tensor([[0.0, -1, 1], [1, 0, -1], [-1, 1, 0]], device=device) / 3**0.5
    sin, cos, kept = (v[:, None, None] for v in (angle_rad.sin(), angle_rad.cos(), saturation))
    return grey + kept * (cos * (torch.eye(3, device=device) - grey) + sin * around)


def punch_holes(depth_m: Tensor) -> Tensor:
    """Elliptic holes of up to a third of the size in depth [B,1,H,W]."""
    count, _, height, width = depth_m.shape
    device = depth_m.device
    y = torch.arange(height, device=device)[:, None]
    x = torch.arange(width, device=device)
    holes = torch.randint(1, MAX_HOLES + 1, (count, 1, 1, 1), device=device)
    kept = torch.ones_like(depth_m, dtype=torch.bool)
    for number in range(MAX_HOLES):
        across, down, wide, high, turn = torch.rand(5, count, 1, 1, 1, device=device)
        dx, dy = x - across * width, y - down * height
        sin, cos = torch.sin(turn * torch.pi), torch.cos(turn * torch.pi)
        u = (dx * cos + dy * sin) / (4 + wide * width / 6)
        v = (dy * cos - dx * sin) / (4 + high * height / 6)
        kept &= (u.square() + v.square() > 1) | (number >= holes)
    return depth_m * kept
