"""A camera image becomes a model's input, and the model's pixels map back to the camera's.

`Placement` says where the camera's view lies in the input: letterboxed at the centre or the top
left, or stretched. Images of any aspect ratio keep it under letterboxing.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, Float32, Shaped, UInt8

from robot_vision.core.manifest import ModelInput
from robot_vision.core.types import Camera


@dataclass(frozen=True, kw_only=True)
class Placement:
    """Where a view of `view_width_px` × `view_height_px` lies in the model's input."""

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
            slice(self.top_px, self.top_px + self.height_px),
            slice(self.left_px, self.left_px + self.width_px),
        )

    def boxes_in_view(self, box_xyxy_px: Float[np.ndarray, "n 4"]) -> Float32[np.ndarray, "n 4"]:
        """Boxes in input pixels as boxes in pixels of the view, clipped to it."""
        scale = (self.width_px / self.view_width_px, self.height_px / self.view_height_px)
        offset = np.array((self.left_px, self.top_px) * 2, np.float32)
        limit = np.array((self.view_width_px, self.view_height_px) * 2, np.float32)
        boxes = (box_xyxy_px - offset) / np.array(scale * 2, np.float32)
        return np.clip(boxes, 0, limit).astype(np.float32)

    def crop(self, grid: Shaped[np.ndarray, "*c h w"], *, input_width_px: int) -> np.ndarray:
        """The part of a grid over the whole input that shows the view, to the nearest cell."""
        stride_px = input_width_px / grid.shape[-1]
        top, bottom = _cells(self.top_px, self.height_px, stride_px)
        left, right = _cells(self.left_px, self.width_px, stride_px)
        return grid[..., top:bottom, left:right]


def place(spec: ModelInput, *, width_px: int, height_px: int) -> Placement:
    """Where an image of that size goes in the input that `spec` describes."""
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


class Preprocessor:
    """Fills a model's inputs from frames, in buffers that it reuses from frame to frame."""

    def __init__(self, spec: ModelInput) -> None:
        self._spec = spec
        height, width = spec.height_px, spec.width_px
        self._canvas = np.full((height, width, 3), spec.pad_value, np.uint8)
        self._depth_m = np.zeros((1, 1, height, width), np.float32)
        self._placement: Placement | None = None
        # The canvas in the model's colour order and layout: a view, so this costs nothing.
        colored = self._canvas if spec.color == "rgb" else self._canvas[:, :, ::-1]
        nchw = spec.layout == "nchw"
        self._pixels = colored.transpose(2, 0, 1) if nchw else colored
        in_place = spec.dtype == "uint8" and self._pixels.flags.c_contiguous
        self._tensor = self._pixels if in_place else np.zeros(self._pixels.shape, spec.dtype)
        per_channel = (3, 1, 1) if nchw else (3,)
        std = np.array(spec.std, np.float32).reshape(per_channel)
        self._gain = np.float32(spec.scale) / std
        self._bias = -np.array(spec.mean, np.float32).reshape(per_channel) / std

    def __call__(
        self,
        rgb: UInt8[np.ndarray, "h w 3"],
        depth_m: Float32[np.ndarray, "hd wd"] | None = None,
        camera: Camera | None = None,
    ) -> tuple[dict[str, np.ndarray], Placement]:
        """The model's inputs, valid until the next call, and where the image lies in them.

        `camera` tells models that ask for it the focal length.
        """
        spec = self._spec
        placement = self._place(width_px=rgb.shape[1], height_px=rgb.shape[0])
        size = (placement.width_px, placement.height_px)
        cv2.resize(rgb, size, dst=self._canvas[placement.window], interpolation=cv2.INTER_LINEAR)
        self._fill_tensor()
        inputs = {spec.name: self._tensor[None]}
        if spec.depth_name:
            self._fill_depth(depth_m, placement)
            inputs[spec.depth_name] = self._depth_m
        if spec.focal_name:
            inputs[spec.focal_name] = np.full((1, 1), _focal_px(camera, placement), np.float32)
        if spec.size_name:
            inputs[spec.size_name] = np.array([[spec.width_px, spec.height_px]], np.int64)
        return inputs, placement

    def _place(self, *, width_px: int, height_px: int) -> Placement:
        placement = place(self._spec, width_px=width_px, height_px=height_px)
        if placement != self._placement:
            self._canvas[:] = self._spec.pad_value
            self._depth_m[:] = 0
            self._placement = placement
        return placement

    def _fill_tensor(self) -> None:
        """`(pixel × scale − mean) / std` per channel; pixels as they are for u8 inputs."""
        if self._tensor is self._pixels:
            return
        if self._spec.dtype == "uint8":
            self._tensor[:] = self._pixels
            return
        np.multiply(self._pixels, self._gain, out=self._tensor, casting="same_kind")
        if self._bias.any():
            self._tensor += self._bias

    def _fill_depth(
        self, depth_m: Float32[np.ndarray, "hd wd"] | None, placement: Placement
    ) -> None:
        if depth_m is None:
            self._depth_m[:] = 0
            return
        # Nearest: an average over an edge would be a depth that nothing has.
        size = (placement.width_px, placement.height_px)
        view_m = self._depth_m[0, 0][placement.window]
        cv2.resize(depth_m, size, dst=view_m, interpolation=cv2.INTER_NEAREST)
        cv2.patchNaNs(view_m, 0)


def _focal_px(camera: Camera | None, placement: Placement) -> float:
    """The focal length in pixels of the input, 0 while no intrinsics are known."""
    return camera.fx_px * placement.width_px / camera.width_px if camera is not None else 0.0


def _cells(start_px: int, length_px: int, stride_px: float) -> tuple[int, int]:
    first = round(start_px / stride_px)
    return first, max(first + 1, round((start_px + length_px) / stride_px))
