"""Raw colour images: the bytes of a `sensor_msgs/Image` as RGB, without a copy if possible.

Encoding names are those of ROS's `sensor_msgs/image_encodings`. Every colour encoding there
is handled here; the others are OpenCV's types, which do not say what they hold.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import UInt8

from robot_vision.codecs.depth import DEPTH_ENCODINGS
from robot_vision.codecs.layout import Buffer, UnsupportedEncodingError, pixels
from robot_vision.core.errors import EncodingError
from robot_vision.core.parameters.limits_config import DEFAULT_LIMITS, InputLimits

# BT.601, limited range, as in V4L2 and ROS; the last column is added.
_RGB_FROM_YUV = np.array([[1.164, 0, 1.596], [1.164, -0.391, -0.813], [1.164, 2.018, 0]])
_RGB_FROM_YUV = np.column_stack([_RGB_FROM_YUV, _RGB_FROM_YUV @ [-16, -128, -128]])
_OPENCV_TYPE = re.compile(r"(8|16|32|64)[USF]C\d*")


@dataclass(frozen=True, kw_only=True)
class _Encoding:
    """How pixels lie in memory, and the function that turns them into RGB (None: already RGB).

    `rows_per_px` is above 1 where colour planes follow the brightness plane.
    """

    dtype: str
    channels: int
    to_rgb: Callable[[np.ndarray], np.ndarray] | None
    rows_per_px: float = 1.0


def _converter(code: int) -> Callable[[np.ndarray], np.ndarray]:
    return lambda image: cv2.cvtColor(image, code)


def _demosaic(code: int) -> Callable[[np.ndarray], np.ndarray]:
    def convert(mosaic: np.ndarray) -> np.ndarray:
        height_px, width_px = mosaic.shape[:2]
        if min(height_px, width_px) < 3:
            # OpenCV returns black for these: there is no neighbour to interpolate from.
            raise EncodingError(
                f"a {width_px}×{height_px} mosaic; Bayer needs at least 3×3 pixels"
            )
        return cv2.cvtColor(mosaic, code)

    return convert


def _unpack_yuv(code: int) -> Callable[[np.ndarray], np.ndarray]:
    def convert(packed: np.ndarray) -> np.ndarray:
        if packed.shape[1] % 2:
            raise EncodingError(f"width {packed.shape[1]} px; packed 4:2:2 needs an even width")
        return cv2.cvtColor(packed, code)

    return convert


def _unpack_planes(code: int) -> Callable[[np.ndarray], np.ndarray]:
    def convert(planes: np.ndarray) -> np.ndarray:
        if planes.shape[1] % 2:
            raise EncodingError(f"width {planes.shape[1]} px; 4:2:0 needs an even width")
        return cv2.cvtColor(np.ascontiguousarray(planes), code)

    return convert


def _unpack_full_planes(planes: np.ndarray) -> np.ndarray:
    """4:4:4: below the brightness rows, a row of colour (u, v, u, v, …) takes two of them."""
    height_px, width_px = planes.shape[0] // 3, planes.shape[1]
    brightness, below = planes[:height_px], planes[height_px:]
    step = planes.strides[0]
    # Padding comes once per row of colour, thus after two rows' worth of pixels.
    colour = np.lib.stride_tricks.as_strided(below, (height_px, width_px, 2), (2 * step, 2, 1))
    return cv2.transform(np.dstack([brightness, colour]), _RGB_FROM_YUV)


def _from_16_bits(
    convert: Callable[[np.ndarray], np.ndarray] | None,
) -> Callable[[np.ndarray], np.ndarray]:
    """Converts colours first, then scales 65535 to 255, as cv_bridge does."""

    def to_rgb(image: np.ndarray) -> np.ndarray:
        rgb = image if convert is None else convert(image)
        return cv2.convertScaleAbs(rgb, alpha=255 / 65535)

    return to_rgb


_RGB = _Encoding(dtype="u1", channels=3, to_rgb=None)
_BGR = _Encoding(dtype="u1", channels=3, to_rgb=_converter(cv2.COLOR_BGR2RGB))
_GRAY = _Encoding(dtype="u1", channels=1, to_rgb=_converter(cv2.COLOR_GRAY2RGB))
_UYVY = _Encoding(dtype="u1", channels=2, to_rgb=_unpack_yuv(cv2.COLOR_YUV2RGB_UYVY))
_YUYV = _Encoding(dtype="u1", channels=2, to_rgb=_unpack_yuv(cv2.COLOR_YUV2RGB_YUY2))


_RGBA = _Encoding(dtype="u1", channels=4, to_rgb=_converter(cv2.COLOR_RGBA2RGB))
_BGRA = _Encoding(dtype="u1", channels=4, to_rgb=_converter(cv2.COLOR_BGRA2RGB))


def _bayer(code: int) -> _Encoding:
    return _Encoding(dtype="u1", channels=1, to_rgb=_demosaic(code))


def _planes(code: int) -> _Encoding:
    return _Encoding(dtype="u1", channels=1, to_rgb=_unpack_planes(code), rows_per_px=1.5)


def _wide(form: _Encoding) -> _Encoding:
    return _Encoding(dtype="u2", channels=form.channels, to_rgb=_from_16_bits(form.to_rgb))


# OpenCV's old names (BayerBG, …) read the second row; these aliases read the first, as ROS.
_MOSAICS = {
    "bayer_rggb": _bayer(cv2.COLOR_BayerRGGB2RGB),
    "bayer_bggr": _bayer(cv2.COLOR_BayerBGGR2RGB),
    "bayer_gbrg": _bayer(cv2.COLOR_BayerGBRG2RGB),
    "bayer_grbg": _bayer(cv2.COLOR_BayerGRBG2RGB),
}

_ENCODINGS = {
    "rgb8": _RGB,
    "bgr8": _BGR,
    "rgba8": _RGBA,
    "bgra8": _BGRA,
    "rgb16": _wide(_RGB),
    "bgr16": _wide(_BGR),
    "rgba16": _wide(_RGBA),
    "bgra16": _wide(_BGRA),
    "mono8": _GRAY,
    "mono16": _wide(_GRAY),
    "8UC1": _GRAY,
    "8UC3": _BGR,  # OpenCV's order, which image_view and cv_bridge's display assume
    "8UC4": _BGRA,
    "16UC3": _wide(_BGR),
    "16UC4": _wide(_BGRA),
    **{f"{name}8": form for name, form in _MOSAICS.items()},
    **{f"{name}16": _wide(form) for name, form in _MOSAICS.items()},
    "yuv422": _UYVY,
    "uyvy": _UYVY,
    "yuv422_yuy2": _YUYV,
    "yuyv": _YUYV,
    "nv12": _planes(cv2.COLOR_YUV2RGB_NV12),
    "nv21": _planes(cv2.COLOR_YUV2RGB_NV21),
    "nv24": _Encoding(dtype="u1", channels=1, to_rgb=_unpack_full_planes, rows_per_px=3),
}

IMAGE_ENCODINGS = tuple(_ENCODINGS)


def decode_image(
    data: Buffer,
    *,
    encoding: str,
    width_px: int,
    height_px: int,
    step: int,
    is_bigendian: bool = False,
    limits: InputLimits = DEFAULT_LIMITS,
) -> UInt8[np.ndarray, "h w 3"]:
    """RGB of a raw colour image; a read-only view of `data` where the encoding is `rgb8`.

    `step` is the length of a row in bytes, padding included. Raises `UnsupportedEncodingError`
    for an unknown encoding, `EncodingError` for one that holds no colours, if the
    bytes do not fit it or the image is larger than `limits`.
    """
    if encoding not in _ENCODINGS:
        _check_may_be_colour(encoding)
        raise UnsupportedEncodingError(encoding, kind="image", supported=IMAGE_ENCODINGS)
    form = _ENCODINGS[encoding]
    rows = height_px * form.rows_per_px
    if rows != int(rows):
        raise EncodingError(f"height {height_px} px; {encoding} needs an even height")
    image = pixels(
        data,
        dtype=form.dtype,
        channels=form.channels,
        width_px=width_px,
        height_px=int(rows),
        step=step,
        is_bigendian=is_bigendian,
        limits=limits,
    )
    return image if form.to_rgb is None else form.to_rgb(image)


def _check_may_be_colour(encoding: str) -> None:
    """Raises `EncodingError` for depth and for OpenCV's types of any other content."""
    supported = f"colour comes as {', '.join(IMAGE_ENCODINGS)}"
    if encoding in DEPTH_ENCODINGS:
        raise EncodingError(
            f"{encoding!r} is an encoding of depth: is rgb remapped to a depth topic? {supported}"
        )
    if _OPENCV_TYPE.fullmatch(encoding):
        raise EncodingError(f"{encoding!r} does not say which colours it holds; {supported}")
