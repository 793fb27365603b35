"""Pictures that are small as files and cost a decoder much."""

import cv2
import numpy as np


def slow_picture(*, scans: int = 2000, side_px: int = 4096) -> bytes:
    """A JPEG of 165 kB that takes 20 s to decode: its last scan comes again and again."""
    plain = np.zeros((side_px, side_px, 3), np.uint8)
    _, data = cv2.imencode(".jpg", plain, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])
    good = data.tobytes()
    last = good.rindex(b"\xff\xda")
    return good[:last] + good[last:-2] * scans + good[-2:]
