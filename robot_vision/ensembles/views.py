"""Views of a model's input: flipped, scaled, or a crop of it; and the way back."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Real
from torch import Tensor, nn

from robot_vision.core.errors import ConfigError
from robot_vision.core.manifests.manifest import ModelInput

_LEAST, _MOST = 0.25, 4.0
_WAYS = "flip, scale:0.8, or crop:LEFT,TOP,SIDE as parts of the input, like crop:0,0,0.7"


@dataclass(frozen=True, kw_only=True)
class View:
    """A square part of the input, in fractions of its width and height, shown in place of it.

    Anything beyond 0 to 1 is padded. `side` below 1 magnifies, above 1 shrinks.
    """

    flip: bool = False
    left: float = 0.0
    top: float = 0.0
    side: float = 1.0

    def __str__(self) -> str:
        if self == View():
            return "as it is"
        return "flip" if self.flip else f"crop:{self.left:g},{self.top:g},{self.side:g}"

    def in_input(
        self, x: Float[Tensor, "*places"], y: Float[Tensor, "*places"]
    ) -> tuple[Float[Tensor, "*places"], Float[Tensor, "*places"]]:
        """Maps places in the view to the input, both as fractions of width and height."""
        across = 1.0 - x if self.flip else x
        return self.left + self.side * across, self.top + self.side * y

    def in_view(
        self, x: Float[Tensor, "*places"], y: Float[Tensor, "*places"]
    ) -> tuple[Float[Tensor, "*places"], Float[Tensor, "*places"]]:
        """The way back."""
        across, down = (x - self.left) / self.side, (y - self.top) / self.side
        return (1.0 - across if self.flip else across), down


def parse_view(text: str) -> View:
    """Parse a view; raises `ConfigError`."""
    what, _, numbers = text.partition(":")
    try:
        values = [float(part) for part in numbers.split(",")] if numbers else []
        if what == "flip" and not values:
            return View(flip=True)
        if what == "scale" and len(values) == 1 and _LEAST <= values[0] <= _MOST:
            side = 1.0 / values[0]
            return View(left=(1.0 - side) / 2, top=(1.0 - side) / 2, side=side)
        if what == "crop" and len(values) == 3:
            left, top, side = values
            if min(left, top) >= 0 and side >= _LEAST and max(left, top) + side <= 1 + 1e-9:
                return View(left=left, top=top, side=side)
    except ValueError:
        pass
    raise ConfigError(f"view {text!r}; expected {_WAYS} (scales from {_LEAST} to {_MOST})")


class Views(nn.Module):
    """All views of a model's inputs: the image, and depth and focal length if it has them."""

    pad: Float[Tensor, "1 3 1 1"]

    def __init__(self, spec: ModelInput, views: Sequence[View]) -> None:
        super().__init__()
        self._spec, self._views = spec, tuple(views)
        pad = torch.full((3,), float(spec.pad_value))
        if spec.dtype != "uint8":
            pad = (pad * spec.scale - torch.tensor(spec.mean)) / torch.tensor(spec.std)
        self.register_buffer("pad", pad.reshape(1, 3, 1, 1))

    def forward(
        self, image: Real[Tensor, "1 _ _ _"], *others: Float[Tensor, "1 ..."]
    ) -> tuple[Real[Tensor, "1 ..."], ...]:
        """The tensors of the first view, then those of the next."""
        names = [name for name in (self._spec.depth_name, self._spec.focal_name) if name]
        found: list[Tensor] = []
        for view in self._views:
            found.append(self._image(image, view))
            for name, other in zip(names, others, strict=True):
                is_depth = name == self._spec.depth_name
                found.append(self._depth(other, view) if is_depth else other / view.side)
        return tuple(found)

    def _image(self, image: Real[Tensor, "*picture"], view: View) -> Real[Tensor, "*picture"]:
        is_nhwc = self._spec.layout == "nhwc"
        planes = image.permute(0, 3, 1, 2) if is_nhwc else image
        shown = planes.to(torch.float32)
        if view.side != 1.0:
            shown = F.grid_sample(shown - self.pad, _grid(view, shown), align_corners=False)
            shown = shown + self.pad
        elif view.flip:
            shown = shown.flip(3)
        if self._spec.dtype == "uint8":
            shown = shown.round().clamp(0, 255)
        shown = shown.to(image.dtype)
        return shown.permute(0, 2, 3, 1) if is_nhwc else shown

    def _depth(self, depth: Float[Tensor, "1 1 h w"], view: View) -> Float[Tensor, "1 1 h w"]:
        """0 is invalid, and marks what lies beyond."""
        if view.side != 1.0:
            return F.grid_sample(depth, _grid(view, depth), mode="nearest", align_corners=False)
        return depth.flip(3) if view.flip else depth + 0.0


def back_in_input(maps: Float[Tensor, "1 c hm wm"], view: View) -> Float[Tensor, "1 c hm wm"]:
    """Maps [1, c, h, w] of a view placed in the input; beyond the view its edge continues."""
    if view.side == 1.0:
        return maps.flip(3) if view.flip else maps
    grid = _grid(view, maps, is_back=True)
    return F.grid_sample(maps, grid, padding_mode="border", align_corners=False)


def coverage(view: View, height: int, width: int) -> Float[Tensor, "1 1 {height} {width}"]:
    """1 where the view shows the input, 0 where it does not: [1, 1, height, width]."""
    x, y = view.in_view(*_places(height, width))
    seen = (x >= 0) & (x <= 1) & (y >= 0) & (y <= 1)
    return seen.to(torch.float32)[None, None]


def _grid(
    view: View, like: Float[Tensor, "1 _c hm wm"], *, is_back: bool = False
) -> Float[Tensor, "1 hm wm 2"]:
    """Where each cell of the answer samples, from -1 to 1 as in `grid_sample`."""
    height, width = int(like.shape[2]), int(like.shape[3])
    x, y = _places(height, width)
    x, y = view.in_view(x, y) if is_back else view.in_input(x, y)
    return torch.stack([2 * x - 1, 2 * y - 1], dim=-1)[None]


def _places(
    height: int, width: int
) -> tuple[Float[Tensor, "{height} {width}"], Float[Tensor, "{height} {width}"]]:
    """Centres of cells as fractions of width and height."""
    y = (torch.arange(height) + 0.5) / height
    x = (torch.arange(width) + 0.5) / width
    rows, columns = torch.meshgrid(y, x, indexing="ij")
    return columns, rows
