"""Mean keypoints and mean oriented box of a track over its life."""

from typing import Any

import numpy as np
from jaxtyping import Float


class ShapeMeans:
    """Means over the frames in which a keypoint or an oriented box was seen."""

    def __init__(self) -> None:
        self._sum_px, self._seen = np.zeros((0, 2)), np.zeros(0)
        self._box_sum, self._boxes = np.zeros(6), 0

    def add(
        self, keypoint: Float[np.ndarray, "k 3"] | None, oriented: Float[np.ndarray, "5"] | None
    ) -> None:
        """Add a frame; NaN where nothing was seen."""
        if keypoint is not None:
            xy_px = keypoint[:, :2].astype(np.float64)
            known = np.isfinite(xy_px.sum(axis=1, keepdims=True))
            if not self._seen.size:
                self._sum_px, self._seen = np.zeros((len(keypoint), 2)), np.zeros(len(keypoint))
            self._sum_px = self._sum_px + np.where(known, xy_px, 0)
            self._seen = self._seen + known[:, 0]
        if oriented is not None and np.isfinite(oriented).all():
            box = oriented.astype(np.float64)
            # A box rotated by 180° is the same box: angles are averaged as axes.
            axis = np.cos(2 * box[4]), np.sin(2 * box[4])
            self._box_sum = self._box_sum + np.concatenate([box[:4], axis])
            self._boxes += 1

    def row(self) -> dict[str, Any]:
        """`mean_keypoint_xy_px` by keypoint, `mean_oriented_box` (px and rad); null if unseen."""
        points = [
            [round(x / n, 3), round(y / n, 3)] if n else None
            for (x, y), n in zip(self._sum_px.tolist(), self._seen.tolist(), strict=True)
        ]
        return {
            "mean_keypoint_xy_px": points if self._seen.any() else None,
            "mean_oriented_box": self._mean_box(),
        }

    def _mean_box(self) -> list[float] | None:
        if not self._boxes:
            return None
        x, y, width, height, cos, sin = (self._box_sum / self._boxes).tolist()
        angle_rad = float(np.arctan2(sin, cos) / 2)
        return [*(round(v, 3) for v in (x, y, width, height)), round(angle_rad, 5)]
