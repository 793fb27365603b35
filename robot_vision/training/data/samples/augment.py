"""Random changes of samples, on the training device: one warp, light and lens, occlusions.

Everything is drawn from torch's global generators: seed them to repeat a batch. Options that a
recipe leaves at 0 draw nothing, except for the original changes.
"""

import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from robot_vision.core.errors import ConfigError
from robot_vision.training.data.samples.augmentation import Augmentation
from robot_vision.training.data.samples.hidden import cut_out, punch_holes
from robot_vision.training.data.samples.lens import blurred, developed, noisy
from robot_vision.training.data.samples.light import relit
from robot_vision.training.data.samples.samples import PAD_VALUE, Batch, SampleStack
from robot_vision.training.data.samples.view import View, Warp, warp_boxes

SOUGHT_TIMES = 4.0


class Augmenter:
    """Samples of a stack, changed at random, as a batch of the given size.

    Mirror, zoom, shift and crop; brightness, contrast, colour, blur, gamma, local contrast,
    noise; depth withheld or with holes; rectangles cut out, in which boxes, masks and true depth
    remain targets. A crop contains an object if there is one; small ones and classes that
    are sought are drawn more often if the options say so. Raises `ConfigError` if a class
    that is sought is none of `class_names`. Sizes below the sample's are crops, not
    smaller pictures: objects keep the size that they have in service, so that training on
    cheap crops transfers to whole views. Zoom leaves metric depth unchanged and lengthens the
    focal length: the same scene through a longer lens. A mirrored view is that of a mirrored scene
    through the same lens: depth and focal length stay, and so does an optical axis in the middle,
    the only assumption about it.
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

    @torch.no_grad()
    def __call__(
        self, stack: SampleStack, rows: Int[Tensor, " b"], *, width_px: int, height_px: int
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
        rgb, depth_m, hue_turned = self._seen(view)
        boxes_xyxy, kept = warp_boxes(boxes_xyxy, warp)
        class_id = torch.where(kept, class_id, -1)
        numbers = torch.arange(1, class_id.shape[1] + 1, device=device).expand_as(class_id)
        return Batch(
            rgb=rgb,
            hue_turned=hue_turned,
            depth_m=depth_m,
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
        boxes_xyxy: Float[Tensor, "b m 4"],
        class_id: Int[Tensor, "b m"],
        *,
        size: Int[Tensor, "2"],
        width_px: int,
        height_px: int,
    ) -> Warp:
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
        across = _flips(count, options.flip, device)
        down = torch.ones_like(across)
        if options.flip_vertical > 0:
            down = _flips(count, options.flip_vertical, device)
        return Warp(
            center=near.clamp(low, high) + shift,
            scale=scale,
            flip=torch.stack([across, down], dim=1),
            width_px=width_px,
            height_px=height_px,
        )

    def _seen(
        self, view: View
    ) -> tuple[UInt8[Tensor, "b h w 3"], Float[Tensor, "b 1 h w"], Bool[Tensor, " b"]]:
        """Colour u8 [B,h,w,3] and depth [B,1,h,w] as a camera shows them; which hues were shifted.

        The original changes draw first.
        """
        options = self._options
        rgb, hue_turned = relit(view.rgb(), color=options.color, hue=options.hue)
        rgb = blurred(rgb, part=options.color / 2)
        depth_m = self._degrade(view.depth_m())
        rgb = developed(rgb, gamma=options.gamma, clahe=options.clahe)
        if options.noise > 0:
            rgb = noisy(rgb, part=options.noise)
        if options.cut_out > 0:
            rgb, depth_m = cut_out(rgb, depth_m, part=options.cut_out, fill=float(PAD_VALUE))
        pixels = rgb.round().to(torch.uint8).permute(0, 2, 3, 1).contiguous()
        return pixels, depth_m, hue_turned

    def _degrade(self, depth_m: Float[Tensor, "b 1 h w"]) -> Float[Tensor, "b 1 h w"]:
        chance = torch.rand(2, len(depth_m), 1, 1, 1, device=depth_m.device)
        holed = torch.where(chance[0] < self._options.depth_holes, punch_holes(depth_m), depth_m)
        return torch.where(chance[1] < self._options.depth_withheld, 0.0, holed)


def _flips(count: int, part: float, device: torch.device) -> Float[Tensor, " {count}"]:
    return torch.where(torch.rand(count, device=device) < part, -1.0, 1.0)


def _random_object(
    boxes_xyxy: Float[Tensor, "b m 4"],
    rate: Float[Tensor, "b m"],
    *,
    otherwise: Float[Tensor, "2"],
) -> Float[Tensor, "b 2"]:
    """The centre of an object of each sample, or a random place for samples without any: [B,2].

    Objects are drawn by their `rate` [B,M], 0 for none: the one whose exponential clock of this
    rate fires first.
    """
    time = torch.empty_like(rate).exponential_() / rate
    chosen = time.argmin(dim=1)[:, None, None].expand(-1, 1, 4)
    low, high = boxes_xyxy.gather(1, chosen)[:, 0].split(2, dim=1)
    has_any = (rate > 0).any(dim=1, keepdim=True)
    return torch.where(has_any, (low + high) / 2, otherwise)
