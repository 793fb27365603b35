"""AbsRel, RMSE and δ1 of metric depth (Eigen et al., arXiv:1406.2283), pixel by pixel."""

import numpy as np
from jaxtyping import Bool, Float, Float64

from robot_vision.training.metrics.bootstrap import resampled_share


class DepthErrors:
    """Sums over pixels of many images."""

    def __init__(self) -> None:
        # Of each picture.
        self._pixels, self._relative = list[int](), list[float]()
        self._squared = self._close = 0.0

    def add(
        self,
        depth_m: Float[np.ndarray, "h w"],
        true_m: Float[np.ndarray, "h w"],
        counted: Bool[np.ndarray, "h w"],
    ) -> None:
        estimate, truth = depth_m[counted].astype(np.float64), true_m[counted].astype(np.float64)
        self._pixels.append(len(truth))
        self._relative.append(float((np.abs(estimate - truth) / truth).sum()))
        self._squared += float(np.square(estimate - truth).sum())
        ratio = np.maximum(estimate / truth, truth / np.maximum(estimate, 1e-6))
        self._close += float((ratio < 1.25).sum())

    def summary(self) -> dict[str, float]:
        """`absrel`, `rmse_m` and `delta1`; NaN when no pixel was counted."""
        n = sum(self._pixels) or float("nan")
        return {
            "absrel": sum(self._relative) / n,
            "rmse_m": float(np.sqrt(self._squared / n)),
            "delta1": self._close / n,
        }

    def resampled_absrel(self) -> Float64[np.ndarray, " rounds"]:
        """`absrel` in each round of `bootstrap.draws`."""
        return resampled_share(np.array(self._relative), np.array(self._pixels, np.float64))
