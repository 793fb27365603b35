"""Where a camera's view lies in a model's input, and the way back to the camera's pixels.

Letterboxed at the centre or the top left, stretched, or cropped at the centre. Letterboxing and
cropping preserve the aspect ratio.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Shaped

from robot_vision.core.manifests.manifest import ModelInput


@dataclass(frozen=True, kw_only=True)
class Placement:
    """Where a view of `view_width_px` × `view_height_px` lies in the model's input.

    `left_px` and `top_px` are negative where the view exceeds the input and is cropped.
    """

    view_width_px: int
    view_height_px: int
    left_px: int
    top_px: int
    width_px: int
    height_px: int

    @property
    def window(self) -> tuple[slice, slice]:
        """Rows and columns of the input that show the view."""
        return (
            slice(max(self.top_px, 0), self.top_px + self.height_px),
            slice(max(self.left_px, 0), self.left_px + self.width_px),
        )

    def seen(
        self, resized: Shaped[np.ndarray, "h w *c"], *, into: Shaped[np.ndarray, "hi wi *c"]
    ) -> Shaped[np.ndarray, "hi wi *c"]:
        """The part of the resized view that fills the input's window."""
        top, left = max(-self.top_px, 0), max(-self.left_px, 0)
        return resized[top : top + into.shape[0], left : left + into.shape[1]]

    def boxes_in_view(self, box_xyxy_px: Float[np.ndarray, "n 4"]) -> Float32[np.ndarray, "n 4"]:
        """Boxes in input pixels as boxes in pixels of the view, clipped to it."""
        limit = np.array((self.view_width_px, self.view_height_px) * 2, np.float32)
        boxes = self.points_in_view(box_xyxy_px.reshape(-1, 2, 2)).reshape(-1, 4)
        return np.clip(boxes, 0, limit).astype(np.float32)

    def points_in_view(self, point_px: Float[np.ndarray, "*n 2"]) -> Float32[np.ndarray, "*n 2"]:
        """Points in input pixels as pixels of the view; they may lie outside it."""
        offset = np.array((self.left_px, self.top_px), np.float32)
        return ((point_px - offset) / np.array(self._scale, np.float32)).astype(np.float32)

    def oriented_boxes_in_view(
        self, oriented_box_px: Float[np.ndarray, "n 5"]
    ) -> Float32[np.ndarray, "n 5"]:
        """Centre, size and angle in input pixels converted to the view.

        If the input is stretched, a box becomes a parallelogram: both sides keep their length in
        the view, and the angle is that of the width.
        """
        centre, size, angle_rad = np.split(oriented_box_px, [2, 4], axis=1)
        cos, sin = np.cos(angle_rad), np.sin(angle_rad)
        width = size[:, :1] * np.concatenate([cos, sin], axis=1) / self._scale
        height = size[:, 1:] * np.concatenate([-sin, cos], axis=1) / self._scale
        columns = (
            *self.points_in_view(centre).T,
            np.hypot(*width.T),
            np.hypot(*height.T),
            np.arctan2(width[:, 1], width[:, 0]),
        )
        return np.stack(columns, axis=1).astype(np.float32)

    @property
    def _scale(self) -> tuple[float, float]:
        """Input pixels per view pixel, along x and y."""
        return self.width_px / self.view_width_px, self.height_px / self.view_height_px

    def crop(
        self, grid: Shaped[np.ndarray, "*c h w"], *, input_width_px: int
    ) -> Shaped[np.ndarray, "*c hv wv"]:
        """The part of a grid over the whole input that shows the view, to the nearest cell."""
        stride_px = input_width_px / grid.shape[-1]
        top, bottom = _cells(self.top_px, self.height_px, stride_px)
        left, right = _cells(self.left_px, self.width_px, stride_px)
        return grid[..., top:bottom, left:right]


def place(spec: ModelInput, *, width_px: int, height_px: int) -> Placement:
    """Where an image of that size lies in the input described by `spec`."""
    if spec.resize == "crop":
        return _cropped(spec, width_px=width_px, height_px=height_px)
    if spec.resize == "stretch":
        scaled_width_px, scaled_height_px = spec.width_px, spec.height_px
    else:
        ratio = min(spec.width_px / width_px, spec.height_px / height_px)
        scaled_width_px = max(1, round(width_px * ratio))
        scaled_height_px = max(1, round(height_px * ratio))
    centred = spec.resize == "letterbox"
    return Placement(
        view_width_px=width_px,
        view_height_px=height_px,
        left_px=(spec.width_px - scaled_width_px) // 2 if centred else 0,
        top_px=(spec.height_px - scaled_height_px) // 2 if centred else 0,
        width_px=scaled_width_px,
        height_px=scaled_height_px,
    )


def _cropped(spec: ModelInput, *, width_px: int, height_px: int) -> Placement:
    """As public models do it: whole pixels, the excess rounded down, and half of it rounded
    down again."""
    if spec.height_px * width_px >= spec.width_px * height_px:
        scaled = spec.height_px * width_px // height_px, spec.height_px
    else:
        scaled = spec.width_px, spec.width_px * height_px // width_px
    return Placement(
        view_width_px=width_px,
        view_height_px=height_px,
        left_px=-((scaled[0] - spec.width_px) // 2),
        top_px=-((scaled[1] - spec.height_px) // 2),
        width_px=scaled[0],
        height_px=scaled[1],
    )


def _cells(start_px: int, length_px: int, stride_px: float) -> tuple[int, int]:
    first = round(start_px / stride_px)
    return first, max(first + 1, round((start_px + length_px) / stride_px))
