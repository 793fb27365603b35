"""Converts a camera image to a model's input; `Placement` says where it lies."""

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from robot_vision.core.cameras.placement import Placement, place
from robot_vision.core.manifests.manifest import ModelInput
from robot_vision.core.types import Camera
from robot_vision.perception.resample import Resampler


class Preprocessor:
    """Fills a model's inputs from frames, in buffers that it reuses from frame to frame."""

    def __init__(self, spec: ModelInput) -> None:
        self._spec = spec
        height, width = spec.height_px, spec.width_px
        self._canvas = np.full((height, width, 3), spec.pad_value, np.uint8)
        self._depth_m = np.zeros((1, 1, height, width), np.float32)
        self._placement: Placement | None = None
        self._resampler: Resampler | None = None
        # The canvas in the model's colour order and layout: a view, so this is free.
        colored = self._canvas if spec.color == "rgb" else self._canvas[:, :, ::-1]
        nchw = spec.layout == "nchw"
        self._pixels = colored.transpose(2, 0, 1) if nchw else colored
        in_place = spec.dtype == "uint8" and self._pixels.flags.c_contiguous
        self._tensor = self._pixels if in_place else np.zeros(self._pixels.shape, spec.dtype)
        per_channel = (3, 1, 1) if nchw else (3,)
        std = np.array(spec.std, np.float32).reshape(per_channel)
        # Division, like projects that scale by 1/255: multiplication differs in the last digit,
        # which can change the results of quantised models.
        self._divisor = np.float32(1 / spec.scale) * std
        self._bias = -np.array(spec.mean, np.float32).reshape(per_channel) / std

    def __call__(
        self,
        rgb: UInt8[np.ndarray, "h w 3"],
        depth_m: Float32[np.ndarray, "hd wd"] | None = None,
        camera: Camera | None = None,
    ) -> tuple[dict[str, np.ndarray], Placement]:
        """The model's inputs, valid until the next call, and where the image lies in them.

        `camera` provides the focal length to models that need it. If a model has a fixed batch,
        every picture is this one.
        """
        spec = self._spec
        placement = self._place(width_px=rgb.shape[1], height_px=rgb.shape[0])
        self._fill_canvas(rgb, placement)
        self._fill_tensor()
        inputs = {spec.name: self._tensor[None]}
        if spec.depth_name:
            self._fill_depth(depth_m, placement)
            inputs[spec.depth_name] = self._depth_m
        if spec.focal_name:
            inputs[spec.focal_name] = np.full((1, 1), _focal_px(camera, placement), np.float32)
        if spec.size_name:
            inputs[spec.size_name] = np.array([[spec.width_px, spec.height_px]], np.int64)
        if spec.batch > 1:
            inputs = {name: np.repeat(array, spec.batch, axis=0) for name, array in inputs.items()}
        return inputs, placement

    def _place(self, *, width_px: int, height_px: int) -> Placement:
        placement = place(self._spec, width_px=width_px, height_px=height_px)
        if placement != self._placement:
            self._canvas[:] = self._spec.pad_value
            self._depth_m[:] = 0
            self._placement = placement
            self._resampler = _resampler(self._spec, placement)
        return placement

    def _fill_canvas(self, rgb: UInt8[np.ndarray, "h w 3"], placement: Placement) -> None:
        window, size = self._canvas[placement.window], (placement.width_px, placement.height_px)
        if self._resampler is not None:
            window[:] = placement.seen(self._resampler(rgb), into=window)
        elif self._spec.resize == "crop":
            window[:] = placement.seen(cv2.resize(rgb, size), into=window)
        else:
            cv2.resize(rgb, size, dst=window, interpolation=cv2.INTER_LINEAR)

    def _fill_tensor(self) -> None:
        """`(pixel × scale − mean) / std` per channel; pixels as they are for u8 inputs."""
        if self._tensor is self._pixels:
            return
        if self._spec.dtype == "uint8":
            self._tensor[:] = self._pixels
            return
        np.divide(self._pixels, self._divisor, out=self._tensor, casting="same_kind")
        if self._bias.any():
            self._tensor += self._bias

    def _fill_depth(
        self, depth_m: Float32[np.ndarray, "hd wd"] | None, placement: Placement
    ) -> None:
        if depth_m is None:
            self._depth_m[:] = 0
            return
        # Nearest: averaging over an edge would give a depth that no surface has.
        size = (placement.width_px, placement.height_px)
        view_m = self._depth_m[0, 0][placement.window]
        cv2.resize(depth_m, size, dst=view_m, interpolation=cv2.INTER_NEAREST)
        cv2.patchNaNs(view_m, 0)


def _resampler(spec: ModelInput, placement: Placement) -> Resampler | None:
    if spec.resample == "linear":
        return None
    return Resampler(
        spec.resample,
        from_px=(placement.view_width_px, placement.view_height_px),
        to_px=(placement.width_px, placement.height_px),
    )


def _focal_px(camera: Camera | None, placement: Placement) -> float:
    """The focal length in pixels of the input, 0 while no intrinsics are known."""
    return camera.fx_px * placement.width_px / camera.width_px if camera is not None else 0.0
