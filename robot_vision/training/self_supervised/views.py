"""Random views of frames: windows are cut and scaled on the CPU, light and lens on the device.

Everything is drawn from torch's global generator: seed it to repeat the views.
"""

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from robot_vision.codecs.stretch import stretched
from robot_vision.core.parameters.params import Params, param
from robot_vision.models.card import Size
from robot_vision.training.data.samples.lens import blurred
from robot_vision.training.data.samples.light import relit
from robot_vision.training.self_supervised.frames import Frames, fitted

_RATIO = 4 / 3  # longest side ratio of what becomes a square view
_LUMA = (0.299, 0.587, 0.114)
_LOOKED_AT_PX = 12  # of a side, where windows are compared


class ViewOptions(Params):
    """How views of one frame differ. All views of a sample lie in one square window of it."""

    window_min: float = param(
        0.3, "side of a window as a part of the frame's shorter side", gt=0, le=1
    )
    window_max: float = param(
        0.6, "1 for both: views of the whole frame, for pictures of one object", gt=0, le=1
    )
    window_tries: int = param(
        4, "windows drawn, of which the one with the most contrast is used", ge=1, le=64
    )
    area_min: float = param(0.3, "smallest view, as a part of the window's area", gt=0, le=1)
    flip: float = param(0.5, "part of views that are mirrored", ge=0, le=1)
    color: float = param(0.8, "part of views in another light", ge=0, le=1)
    strength: float = param(
        0.4, "how far brightness, contrast and saturation may be from 1", ge=0, le=1
    )
    hue: float = param(0.1, "how far hues are shifted, as a part of the circle", ge=0, le=0.5)
    grey: float = param(0.2, "part of views without colour", ge=0, le=1)
    blur: float = param(0.5, "part of views out of focus", ge=0, le=1)
    solarise: float = param(0.0, "part of views with their bright half inverted", ge=0, le=1)


@torch.no_grad()
def draw_windows(
    frames: Frames, rows: list[int], options: ViewOptions
) -> Int64[np.ndarray, "b 3"]:
    """Left, top and side in pixels of a square window in each frame."""
    width, height = frames.size.width_px, frames.size.height_px
    drawn = torch.rand(len(rows), options.window_tries, 3).double().numpy()
    low, high = sorted((options.window_min, options.window_max))
    side = np.maximum(1, np.round((low + (high - low) * drawn[..., 0]) * min(width, height)))
    left = np.floor(drawn[..., 1] * (width - side + 1))
    top = np.floor(drawn[..., 2] * (height - side + 1))
    windows = np.stack([left, top, side], axis=2).astype(np.int64)
    if options.window_tries == 1:
        return windows[:, 0]
    contrast = np.array(
        [
            [_contrast(frames[row], window) for window in tried]
            for row, tried in zip(rows, windows, strict=True)
        ]
    )
    return windows[np.arange(len(rows)), contrast.argmax(axis=1)]


def _contrast(frame: UInt8[np.ndarray, "h w 3"], window: Int64[np.ndarray, "3"]) -> float:
    left, top, side = window.tolist()
    step = max(1, side // _LOOKED_AT_PX)
    seen = frame[top : top + side : step, left : left + side : step]
    return float(seen.std(axis=(0, 1)).mean())


@torch.no_grad()
def cut_views(
    frames: Frames,
    rows: list[int],
    windows: Int64[np.ndarray, "b 3"],
    *,
    size_px: int,
    area: tuple[float, float],
) -> UInt8[Tensor, "b s s 3"]:
    """A part of each window, between these shares of its area, as a square of `size_px`."""
    drawn = torch.rand(len(rows), 4).double().numpy()
    share = area[0] + (area[1] - area[0]) * drawn[:, 0]
    ratio = np.exp((2 * drawn[:, 1] - 1) * np.log(_RATIO))
    views = np.empty((len(rows), size_px, size_px, 3), np.uint8)
    for number, row in enumerate(rows):
        left, top, side = windows[number].tolist()
        width = _side(side, share[number] * ratio[number])
        height = _side(side, share[number] / ratio[number])
        x = left + int(drawn[number, 2] * (side - width + 1))
        y = top + int(drawn[number, 3] * (side - height + 1))
        part = frames[row][y : y + height, x : x + width]
        views[number] = stretched(part, width_px=size_px, height_px=size_px)
    return torch.from_numpy(views)


def _side(window: int, area: float) -> int:
    return min(window, max(1, round(window * area**0.5)))


def middle_views(
    frames: Frames, rows: list[int], options: ViewOptions, size: Size, *, batch: int
) -> Iterator[UInt8[np.ndarray, "b h w 3"]]:
    """Centre crops of frames, as large as windows are on average: the same each time.

    For a non-square size, such as a camera's, the whole frames, cropped to its ratio.
    """
    part = (options.window_min + options.window_max) / 2
    side = max(1, round(part * min(frames.size.width_px, frames.size.height_px)))
    is_square = size.width_px == size.height_px
    middle = Size(width_px=side, height_px=side) if is_square else frames.size
    for start in range(0, len(rows), batch):
        seen = [frames[row] for row in rows[start : start + batch]]
        yield np.stack([fitted(_middle(frame, middle), size) for frame in seen])


def _middle(frame: UInt8[np.ndarray, "h w 3"], size: Size) -> UInt8[np.ndarray, "h2 w2 3"]:
    top, left = (frame.shape[0] - size.height_px) // 2, (frame.shape[1] - size.width_px) // 2
    return frame[top : top + size.height_px, left : left + size.width_px]


@torch.no_grad()
def mirrored(rgb: UInt8[Tensor, "b s s 3"], *, part: float) -> UInt8[Tensor, "b s s 3"]:
    """Part of the views mirrored."""
    chosen = torch.rand(len(rgb), 1, 1, 1, device=rgb.device) < part
    return torch.where(chosen, rgb.flip(2), rgb)


@torch.no_grad()
def seen_otherwise(
    rgb: UInt8[Tensor, "b s s 3"], options: ViewOptions
) -> UInt8[Tensor, "b s s 3"]:
    """Views mirrored, in another light, without colour, out of focus, solarised."""
    planes = mirrored(rgb, part=options.flip).permute(0, 3, 1, 2).float()
    planes, _ = relit(
        planes, color=options.color, hue=0.0, light=options.strength, tint=options.hue
    )
    chance = torch.rand(2, len(rgb), 1, 1, 1, device=rgb.device)
    weights = torch.tensor(_LUMA, device=rgb.device)[:, None, None]
    luma = (planes * weights).sum(dim=1, keepdim=True).expand_as(planes)
    planes = torch.where(chance[0] < options.grey, luma, planes)
    if options.blur > 0:
        planes = blurred(planes, part=options.blur)
    if options.solarise > 0:
        inverted = torch.where(planes < 128, planes, 255 - planes)
        planes = torch.where(chance[1] < options.solarise, inverted, planes)
    pixels = planes.clamp(0, 255).round().to(torch.uint8)
    return pixels.permute(0, 2, 3, 1).contiguous()
