"""Random changes of samples, on the device that trains: one warp, light and lens, less depth.

Warp and light are our own: boxes, depth and the focal length follow the warp, and done for the
pixels of the view only they take half the processor time of general ones. The lens is kornia's.
Everything is drawn from torch's global generators: seed them for the same batch again.
"""

from dataclasses import dataclass

import kornia.augmentation as K
import torch
from torch import Tensor

from robot_vision.core.errors import ConfigError
from robot_vision.training.data.augmentation import Augmentation
from robot_vision.training.data.samples import MILLIMETRES_PER_METRE, PAD_VALUE, Batch, SampleStack

SMALLEST_BOX_PX = 2.0
SMALLEST_VISIBLE_PART = 0.25
MAX_HOLES = 6
SOUGHT_TIMES = 4.0
# Light: brightness, contrast and saturation as factors about 1, hue as a part of the circle.
_LIGHT = 0.25
_HUE = 0.02
_TURNED_SATURATION = (0.3, 1.3)
_GREY = 127.5


class Augmenter:
    """Samples of a stack, changed at random, as a batch of the size asked for.

    Mirror, zoom, shift and crop; brightness, contrast, colour, blur; depth withheld or with
    holes. A crop holds an object where there is one; small ones and classes that are sought are
    drawn more often where the options say so. Raises `ConfigError` if a class that is sought is
    none of `class_names`. Sizes below the sample's are crops, not
    smaller pictures: objects keep the size that they have in service, so that what is learnt on
    cheap crops serves on whole views. Zoom leaves metric depth as it is and lengthens the focal
    length: the same scene through a longer lens.
    """

    def __init__(self, options: Augmentation, class_names: tuple[str, ...]) -> None:
        unknown = set(options.sought) - set(class_names)
        if unknown:
            raise ConfigError(
                f"augmentation.sought = {options.sought}: the set has no class "
                f"{', '.join(sorted(unknown))}; it has {', '.join(class_names) or 'none'}"
            )
        self._options = options
        rates = [SOUGHT_TIMES if name in options.sought else 1.0 for name in class_names]
        # Class −1, of rows that are padding, is the last.
        self._class_rate = torch.tensor([*rates, 0.0])
        self._lens = K.RandomGaussianBlur((5, 5), (0.1, 1.5), p=options.color / 2)

    @torch.no_grad()
    def __call__(
        self, stack: SampleStack, rows: Tensor, *, width_px: int, height_px: int
    ) -> Batch:
        device = stack.planes.device
        rows = rows.to(device)
        class_id, boxes_xyxy = stack.class_id[rows], stack.boxes_xyxy[rows]
        height, width = stack.planes.shape[1:3]
        warp = self._draw(
            boxes_xyxy,
            class_id,
            size=torch.tensor([width, height], device=device),
            width_px=width_px,
            height_px=height_px,
        )
        view = View(stack.planes, rows, warp)
        rgb, hue_turned = self._relit(view.rgb())
        boxes_xyxy, kept = _warp_boxes(boxes_xyxy, warp)
        class_id = torch.where(kept, class_id, -1)
        numbers = torch.arange(1, class_id.shape[1] + 1, device=device).expand_as(class_id)
        return Batch(
            rgb=self._through_lens(rgb),
            hue_turned=hue_turned,
            depth_m=self._degrade(view.depth_m()),
            focal_px=(stack.focal_px[rows] * warp.scale)[:, None],
            depth_true_m=view.depth_true_m(),
            instances=view.instances(),
            boxes_xyxy=torch.where(kept[..., None], boxes_xyxy, 0.0),
            class_id=class_id,
            color_id=torch.where(kept, stack.color_id[rows], -1),
            instance_id=torch.where(kept, numbers, 0),
        )

    def _draw(
        self,
        boxes_xyxy: Tensor,
        class_id: Tensor,
        *,
        size: Tensor,
        width_px: int,
        height_px: int,
    ) -> "Warp":
        options, count, device = self._options, len(boxes_xyxy), boxes_xyxy.device
        out_size = torch.tensor([width_px, height_px], device=device)
        scale = torch.empty(count, device=device).uniform_(options.scale_min, options.scale_max)
        window = out_size / scale[:, None]
        area = (boxes_xyxy[..., 2:] - boxes_xyxy[..., :2]).prod(dim=2).clamp(min=1.0)
        rate = self._class_rate.to(device)[class_id] * area**-options.small_objects
        near = _random_object(boxes_xyxy, rate, otherwise=size / 2)
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

    def _relit(self, rgb: Tensor) -> tuple[Tensor, Tensor]:
        """Some samples in another light, some with all hues turned by one angle; and which.

        Both are linear in the colours: one matrix a sample, about mid grey.
        """
        chance, angle, level, contrast, vivid = torch.rand(5, len(rgb), device=rgb.device)
        turned = chance < self._options.hue
        lit = torch.rand(len(rgb), device=rgb.device) < self._options.color
        angle = torch.where(turned, angle, lit * _HUE * (2 * angle - 1))
        low, high = _TURNED_SATURATION
        vivid = torch.where(turned, low + (high - low) * vivid, _factors(vivid, lit))
        turns = hue_turns(2 * torch.pi * angle, saturation=vivid)
        gain = _factors(level, lit)[:, None, None]
        matrix = turns * gain * _factors(contrast, lit)[:, None, None]
        offset = gain * _GREY - (matrix * _GREY).sum(dim=2, keepdim=True)
        changed = torch.baddbmm(offset, matrix, rgb.flatten(2)).view_as(rgb)
        touched = (turned | lit)[:, None, None, None]
        return torch.where(touched, changed.clamp_(0, 255), rgb), turned

    def _through_lens(self, rgb: Tensor) -> Tensor:
        return self._lens(rgb).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous()

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


def _random_object(boxes_xyxy: Tensor, rate: Tensor, *, otherwise: Tensor) -> Tensor:
    """The middle of an object of each sample, or a place for samples without any: [B,2].

    Objects are drawn by their `rate` [B,M], 0 for none: that whose exponential clock of this
    rate is first.
    """
    time = torch.empty_like(rate).exponential_() / rate
    chosen = time.argmin(dim=1)[:, None, None].expand(-1, 1, 4)
    low, high = boxes_xyxy.gather(1, chosen)[:, 0].split(2, dim=1)
    has_any = (rate > 0).any(dim=1, keepdim=True)
    return torch.where(has_any, (low + high) / 2, otherwise)


class View:
    """What a warp shows of the samples `rows` of `planes`: colours between pixels, else nearest.

    A warp shifts, zooms and mirrors, so that a view's pixels lie on rows and columns of the
    sample: each is gathered as one word, its 8 bytes as `SampleStack` has them.
    """

    def __init__(self, planes: Tensor, rows: Tensor, warp: Warp) -> None:
        self._words = planes.view(torch.int64).squeeze(3)
        self._rows = rows[:, None, None]
        device = planes.device
        x = torch.arange(warp.width_px, device=device) + (1 - warp.width_px) / 2
        y = torch.arange(warp.height_px, device=device) + (1 - warp.height_px) / 2
        self._x = warp.center[:, :1] + x / warp.gain[:, :1]
        self._y = warp.center[:, 1:] + y / warp.gain[:, 1:]
        height, width = self._words.shape[1:]
        in_rows, in_columns = (
            (place >= 0) & (place < size) for place, size in ((self._y, height), (self._x, width))
        )
        self._inside = in_rows[:, :, None] & in_columns[:, None, :]
        nearest = self._at(self._y.floor().long(), self._x.floor().long())
        self._nearest = torch.where(self._inside, nearest, 0)

    def rgb(self) -> Tensor:
        """Colour 0 to 255 [B,3,h,w], between pixels by distance; grey where nothing is."""
        left, right, across = _neighbours(self._x)
        above, below, down = _neighbours(self._y)
        across, down = across[:, None, :, None], down[:, :, None, None]
        upper = torch.lerp(self._colors(above, left), self._colors(above, right), across)
        lower = torch.lerp(self._colors(below, left), self._colors(below, right), across)
        color = torch.lerp(upper, lower, down)
        color = torch.where(self._inside[..., None], color, float(PAD_VALUE))
        return color.permute(0, 3, 1, 2).contiguous()

    def depth_m(self) -> Tensor:
        """The sensor's depth [B,1,h,w], 0 where unknown."""
        return _metres(self._nearest >> 32)[:, None]

    def depth_true_m(self) -> Tensor:
        """True depth at a quarter of the size [B,1,h/4,w/4], 0 where unknown."""
        return _metres(self._nearest[:, 2::4, 2::4] >> 48)[:, None]

    def instances(self) -> Tensor:
        """1 + the object seen at a quarter of the size u8 [B,h/4,w/4], 0 for none."""
        return (self._nearest[:, 2::4, 2::4] >> 24 & 0xFF).to(torch.uint8)

    def _colors(self, y: Tensor, x: Tensor) -> Tensor:
        return self._at(y, x).view(torch.uint8).unflatten(2, (-1, 8))[..., :3].to(torch.float32)

    def _at(self, y: Tensor, x: Tensor) -> Tensor:
        """Words [B,h,w] of pixels in rows [B,h] and columns [B,w], of the border beyond it."""
        height, width = self._words.shape[1:]
        y, x = y.clamp(0, height - 1), x.clamp(0, width - 1)
        return self._words[self._rows, y[:, :, None], x[:, None, :]]


def _neighbours(place: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The pixels whose middles lie before and after a place, and how far it is between them."""
    before = (place - 0.5).floor()
    return before.long(), before.long() + 1, place - 0.5 - before


def _metres(word: Tensor) -> Tensor:
    return (word & 0xFFFF).to(torch.float32) / MILLIMETRES_PER_METRE


def _factors(chance: Tensor, chosen: Tensor) -> Tensor:
    """Factors about 1 from even chances, 1 where not chosen."""
    return 1 + chosen * _LIGHT * (2 * chance - 1)


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
        # Divided before they are added, while they are rows and columns.
        wide_px, high_px = 4 + wide * width / 6, 4 + high * height / 6
        u = dx * (cos / wide_px) + dy * (sin / wide_px)
        v = dy * (cos / high_px) - dx * (sin / high_px)
        is_hole = number < holes
        kept &= torch.addcmul(u.square_(), v, v) > torch.where(is_hole, 1.0, -1.0)
    return depth_m * kept
