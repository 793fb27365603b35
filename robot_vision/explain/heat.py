"""A map over a picture; uninformative maps are refused."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float32, Real

from robot_vision.core.cameras.placement import Placement
from robot_vision.core.errors import RobotVisionError

# A map that varies by less than this share of its mean counts as flat.
_LEAST_SPREAD = 1e-4

Map = Float32[np.ndarray, "rows columns"]


class ExplainError(RobotVisionError, ValueError):
    """A question that cannot be answered, or an answer without information."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Heat:
    """How much each place of the model's input matters: `values` ≥ 0 at any resolution.

    `about` names its source: the layer, the attention, the size of the occluding window.
    `margin_px` is how far the map extends below and right of the input if a network pads it.
    """

    values: Map
    about: str
    margin_px: tuple[int, int] = (0, 0)

    def at_size(self, *, width_px: int, height_px: int) -> Float32[np.ndarray, "h w"]:
        """At the input's size, from 0 to 1."""
        below, right = self.margin_px
        padded = (width_px + right, height_px + below)
        large = cv2.resize(self.values, padded, interpolation=cv2.INTER_LINEAR)
        large = large[:height_px, :width_px]
        return large / max(float(large.max()), np.finfo(np.float32).tiny)

    def in_view(
        self, placement: Placement, *, width_px: int, height_px: int
    ) -> Float32[np.ndarray, "h w"]:
        """Over the original picture, without the input's padding, from 0 to 1."""
        whole = self.at_size(width_px=width_px, height_px=height_px)[placement.window]
        size = (placement.view_width_px, placement.view_height_px)
        return cv2.resize(whole, size, interpolation=cv2.INTER_LINEAR)


def checked(
    values: Real[np.ndarray, "rows columns"],
    *,
    about: str,
    empty: str,
    margin_px: tuple[int, int] = (0, 0),
) -> Heat:
    """The map; raises `ExplainError` if it is not finite, empty (`empty` says why) or flat."""
    values = np.ascontiguousarray(values, np.float32)
    if not np.isfinite(values).all():
        raise ExplainError(f"the map of {about} has values that are not finite")
    if values.size < 2:
        raise ExplainError(f"the map of {about} has a single cell: there are no places to compare")
    if float(values.max()) <= 0:
        raise ExplainError(f"the map of {about} is empty: {empty}")
    if float(np.ptp(values)) < _LEAST_SPREAD * float(np.abs(values).mean()):
        raise ExplainError(f"the map of {about} is the same everywhere: it singles out no place")
    return Heat(values=values, about=about, margin_px=margin_px)


def energy_inside(heat: Float32[np.ndarray, "h w"], mask: Bool[np.ndarray, "h w"]) -> float:
    """The share of a map's sum inside a mask (arXiv:1910.01279)."""
    total = float(heat.sum())
    return float(heat[mask].sum()) / total if total > 0 else 0.0
