"""Prompts for an object in a picture: points on it, points off it, a box, an earlier mask."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32

from robot_vision.core.errors import ConfigError

Point = tuple[float, float]
Box = tuple[float, float, float, float]
MOST_POINTS = 64


@dataclass(frozen=True, kw_only=True, eq=False)
class Prompt:
    """A prompt for one object, in the picture's pixels.

    `is_object` says for each point whether it lies on the object; `mask_logits` is an earlier
    answer's (`Segment.logits`), which this prompt corrects.
    """

    point_xy_px: Float32[np.ndarray, "k 2"]
    is_object: Bool[np.ndarray, " k"]
    box_xyxy_px: Float32[np.ndarray, "4"] | None = None
    mask_logits: Float32[np.ndarray, "h w"] | None = None

    @property
    def is_ambiguous(self) -> bool:
        """A single point may mean an object or a part of it: several masks beat one."""
        return self.box_xyxy_px is None and self.mask_logits is None and len(self.is_object) == 1


def make_prompt(
    *,
    points: Sequence[Point] = (),
    not_points: Sequence[Point] = (),
    box: Box | None = None,
    mask_logits: Float32[np.ndarray, "h w"] | None = None,
) -> Prompt:
    """A prompt of points on the object, points off it, a box around it; raises `ConfigError`."""
    if not points and box is None and mask_logits is None:
        raise ConfigError(
            "a prompt needs a point on the object, a box around it or an earlier mask; "
            f"it has {len(not_points)} points off it and nothing else"
        )
    if len(points) + len(not_points) > MOST_POINTS:
        count = len(points) + len(not_points)
        raise ConfigError(f"a prompt of {count} points; expected at most {MOST_POINTS}")
    labels = [True] * len(points) + [False] * len(not_points)
    return Prompt(
        point_xy_px=np.array([*points, *not_points], np.float32).reshape(-1, 2),
        is_object=np.array(labels, bool),
        box_xyxy_px=None if box is None else np.array(box, np.float32),
        mask_logits=mask_logits,
    )


def check_prompt(prompt: Prompt, *, width_px: int, height_px: int) -> None:
    """Raise `ConfigError` unless the prompt's points and box lie in the picture."""
    size = np.array([width_px, height_px], np.float32)
    for point in prompt.point_xy_px:
        if not (np.isfinite(point).all() and (point >= 0).all() and (point <= size).all()):
            raise ConfigError(
                f"the point {point[0]:g},{point[1]:g} is not in the picture of "
                f"{width_px}×{height_px} px; expected x from 0 to {width_px}, y to {height_px}"
            )
    box = prompt.box_xyxy_px
    if box is None:
        return
    corners = box.reshape(2, 2)
    inside = np.isfinite(corners).all() and (corners >= 0).all() and (corners <= size).all()
    if not inside or not (corners[0] < corners[1]).all():
        raise ConfigError(
            f"the box {','.join(f'{value:g}' for value in box)} is not in the picture of "
            f"{width_px}×{height_px} px; expected left,top,right,bottom within it, "
            "left before right and top above bottom"
        )
