"""A picture as the encoder takes it, and where the picture lies in that input."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from robot_vision.core.manifests.segmenter_manifest import PictureInput
from robot_vision.segment.resize import resize_smoothly


@dataclass(frozen=True, kw_only=True)
class View:
    """A picture of `width_px` × `height_px` fills `used_width_px` × `used_height_px` of a square.

    It lies at the top left of the square of `side_px`.
    """

    width_px: int
    height_px: int
    used_width_px: int
    used_height_px: int
    side_px: int

    def to_input(self, xy_px: Float32[np.ndarray, "*n 2"]) -> Float32[np.ndarray, "*n 2"]:
        """Points of the picture in pixels of the square."""
        across = self.used_width_px / self.width_px
        down = self.used_height_px / self.height_px
        return (xy_px * np.array([across, down])).astype(np.float32)

    def from_input(
        self, logits: Float32[np.ndarray, "h w"]
    ) -> Float32[np.ndarray, "rows columns"]:
        """A map over the square as a map over the picture, in two bilinear steps as in SAM."""
        side = self.side_px
        if logits.shape != (side, side):
            logits = cv2.resize(logits, (side, side), interpolation=cv2.INTER_LINEAR)
        used = logits[: self.used_height_px, : self.used_width_px]
        size = (self.width_px, self.height_px)
        return np.asarray(cv2.resize(used, size, interpolation=cv2.INTER_LINEAR), np.float32)


def view_of(spec: PictureInput, *, width_px: int, height_px: int) -> View:
    """Where a picture of that size lies in the encoder's input."""
    if spec.resize == "stretch":
        used = (spec.side_px, spec.side_px)
    else:
        ratio = spec.side_px / max(width_px, height_px)
        used = (max(1, int(width_px * ratio + 0.5)), max(1, int(height_px * ratio + 0.5)))
    return View(
        width_px=width_px,
        height_px=height_px,
        used_width_px=used[0],
        used_height_px=used[1],
        side_px=spec.side_px,
    )


def pixels_of(
    rgb: UInt8[np.ndarray, "h w 3"], spec: PictureInput, view: View
) -> Float32[np.ndarray, "3 rows columns"]:
    """The resized picture's normalised pixels, without the padding."""
    small = resize_smoothly(rgb, width_px=view.used_width_px, height_px=view.used_height_px)
    mean = np.array(spec.mean, np.float32) / np.float32(spec.scale)
    std = np.array(spec.std, np.float32) / np.float32(spec.scale)
    return np.ascontiguousarray(((small - mean) / std).transpose(2, 0, 1), np.float32)


def padded(
    pixels: Float32[np.ndarray, "3 rows columns"], side_px: int
) -> Float32[np.ndarray, "1 3 side side"]:
    """The pixels at the top left of a square of zeros, as a batch of one."""
    square = np.zeros((1, 3, side_px, side_px), np.float32)
    square[0, :, : pixels.shape[1], : pixels.shape[2]] = pixels
    return square
