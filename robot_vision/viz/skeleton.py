"""Keypoints drawn on a picture: bones, and points in the colour of their side."""

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from robot_vision.core.results.keypoints import Side, bones_of, side_of
from robot_vision.viz.palette import Rgb

LEAST_SCORE = 0.5
"""Keypoints below this score are published but not drawn."""

SIDE_COLORS: dict[Side, Rgb] = {
    "left": (86, 180, 233),
    "right": (230, 159, 0),
    "": (255, 255, 255),
}
"""Sky blue, orange and white, which people with any colour vision can distinguish."""

_SHADE: Rgb = (24, 24, 24)


def draw_skeleton(
    image: UInt8[np.ndarray, "h w 3"],
    keypoint: Float32[np.ndarray, "k 3"],
    names: tuple[str, ...],
    unit: float,
) -> None:
    """Draw one object's keypoints (x px, y px, score) on `image`; `unit` scales thickness."""
    side: list[Side] = [side_of(name) for name in names]
    limit = 4 * max(image.shape)  # OpenCV's coordinates are 16.16 bits: far points wrap around
    placed = np.isfinite(keypoint[:, :2]).all(axis=1)
    shown = placed & ~(keypoint[:, 2] < LEAST_SCORE)  # NaN score: the model has none
    xy = np.nan_to_num(keypoint[:, :2]).clip(-limit, limit).round().astype(int).tolist()
    for start, end in bones_of(names):
        if shown[start] and shown[end]:
            color = SIDE_COLORS[_side_between(side[start], side[end])]
            for line_color, width in ((_SHADE, 4), (color, 2)):
                cv2.line(image, xy[start], xy[end], line_color, round(width * unit), cv2.LINE_AA)
    for point in np.flatnonzero(shown):
        for dot_color, radius in ((_SHADE, 4), (SIDE_COLORS[side[point]], 3)):
            cv2.circle(image, xy[point], round(radius * unit), dot_color, cv2.FILLED, cv2.LINE_AA)


def _side_between(start: Side, end: Side) -> Side:
    """Bones from the middle to a side belong to that side; those across to none."""
    if start and end and start != end:
        return ""
    return start or end
