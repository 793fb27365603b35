"""Whether arrays given from Python are a frame: `FrameError` with the value and what to do."""

import numpy as np

from robot_vision.core.cameras.frame_check import size_problem
from robot_vision.core.errors import FrameError
from robot_vision.core.types import Frame

_RGB = "uint8 of shape [height, width, 3], in the order red, green, blue"
_DEPTH = "float32 of shape [height, width], in metres, NaN where unknown"


def check_frame(frame: Frame) -> None:
    """Raise `FrameError` where a part of `frame` has a type, shape or size that is not taken."""
    check_rgb(frame.rgb)
    if frame.depth_m is not None:
        check_depth(frame.depth_m)
    if frame.camera is not None:
        height_px, width_px = frame.rgb.shape[:2]
        problem = size_problem(frame.camera, width_px=width_px, height_px=height_px)
        if problem:
            raise FrameError(f"{problem}; give the camera of this picture, or none")


def check_rgb(rgb: object) -> None:
    """Raise `FrameError` unless `rgb` is a colour picture."""
    array = _array(rgb, "a picture", _RGB)
    advice = _rgb_advice(array)
    if advice:
        raise FrameError(f"a picture is {_described(array)}; expected {_RGB}: {advice}")


def check_depth(depth_m: object) -> None:
    """Raise `FrameError` unless `depth_m` is a map of depth in metres."""
    array = _array(depth_m, "depth", _DEPTH)
    advice = _depth_advice(array)
    if advice:
        raise FrameError(f"depth is {_described(array)}; expected {_DEPTH}: {advice}")


def _array(value: object, what: str, expected: str) -> np.ndarray:
    if isinstance(value, np.ndarray):
        return value
    kind = f"{type(value).__module__}.{type(value).__name__}".removeprefix("builtins.")
    raise FrameError(
        f"{what} is a {kind}; expected a NumPy array, {expected}: convert it (`numpy.asarray`)"
    )


def _described(array: np.ndarray) -> str:
    return f"{array.dtype} of shape {list(array.shape)}"


def _rgb_advice(rgb: np.ndarray) -> str:
    """What makes a picture of the array; empty if it is one."""
    if 0 in rgb.shape:
        return "it has no pixels"
    if rgb.ndim == 2:
        return "repeat grey three times (`numpy.stack([gray] * 3, axis=-1)`)"
    if rgb.ndim != 3:
        return "give one picture at a time"
    if rgb.shape[2] == 4:
        return "leave out the fourth channel (`rgba[..., :3]`)"
    if rgb.shape[2] != 3:
        is_chw = rgb.shape[0] == 3
        return "move channels last (`rgb.transpose(1, 2, 0)`)" if is_chw else "it has no colours"
    if rgb.dtype == np.uint8:
        return ""
    if np.issubdtype(rgb.dtype, np.floating):
        return "scale it to 0…255 and convert (`(rgb * 255).round().astype(numpy.uint8)` from 0…1)"
    return "convert it to 8 bits (`(rgb >> 8).astype(numpy.uint8)` from uint16)"


def _depth_advice(depth: np.ndarray) -> str:
    """What makes depth in metres of the array; empty if it is that."""
    if 0 in depth.shape:
        return "it has no pixels; give None where there is no depth"
    if depth.ndim != 2:
        return "give one value a pixel (`depth[..., 0]` of one channel)"
    if depth.dtype == np.float32:
        return ""
    if np.issubdtype(depth.dtype, np.floating):
        return "convert it (`depth.astype(numpy.float32)`)"
    return "millimetres become metres by `depth.astype(numpy.float32) / 1000`"
