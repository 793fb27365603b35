"""cv_bridge, the last resort for encodings that we do not decode; used once it has been tested.

It may crash its process, so a child process tries it first (`bridge_trial`). The decoding thread
does not wait for the child: until it answers, or if it fails, images are refused with the reason.
"""

from functools import cache
from typing import Any

import numpy as np
from jaxtyping import UInt8
from sensor_msgs.msg import Image

from robot_vision.bridge_trial import ADVICE, BridgeTrial, is_installed
from robot_vision.codecs.bounded import check_size
from robot_vision.codecs.layout import UnsupportedEncodingError
from robot_vision.core.errors import EncodingError
from robot_vision.core.parameters.limits_config import InputLimits
from robot_vision.ros.messages.received_image import ReceivedImage


def rgb_by_bridge(
    message: Image | ReceivedImage, *, unsupported: UnsupportedEncodingError, limits: InputLimits
) -> UInt8[np.ndarray, "h w 3"]:
    """RGB as cv_bridge makes it; raises `EncodingError`, and `unsupported` without a cv_bridge."""
    if not is_installed():
        raise unsupported
    encoding = message.encoding
    check_size(message.width, message.height, limits=limits, what="image")
    verdict = _trial().poll()
    if verdict is None:
        raise EncodingError(
            f"{encoding!r} is not decoded by robot_vision itself; cv_bridge is being tried in a "
            "child process"
        )
    if not verdict.is_usable:
        raise EncodingError(
            f"{encoding!r} is not decoded by robot_vision itself, and {verdict.problem}. Publish "
            "another encoding (docs/cameras.md), or install the NumPy that cv_bridge needs: "
            f"{ADVICE}; then restart"
        )
    try:
        rgb = _bridge().imgmsg_to_cv2(message, desired_encoding="rgb8")
    except Exception as error:  # its own errors, NumPy's, OpenCV's, and those of Boost
        raise EncodingError(f"cv_bridge refuses {encoding!r}: {error}") from error
    shape = (message.height, message.width, 3)
    if not isinstance(rgb, np.ndarray) or (rgb.dtype, rgb.shape) != (np.uint8, shape):
        raise EncodingError(f"cv_bridge returned no RGB for {encoding!r} in {shape}")
    return rgb


@cache
def _trial() -> BridgeTrial:
    return BridgeTrial()


@cache
def _bridge() -> Any:
    from cv_bridge import CvBridge

    return CvBridge()
