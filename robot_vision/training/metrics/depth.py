"""AbsRel, RMSE and δ1 of metric depth (Eigen et al., arXiv:1406.2283), pixel by pixel."""

import numpy as np
from jaxtyping import Bool, Float


class DepthErrors:
    """Sums over pixels of many images."""

    def __init__(self) -> None:
        self._pixels = 0
        self._relative = self._squared = self._close = 0.0

    def add(
        self,
        depth_m: Float[np.ndarray, "h w"],
        true_m: Float[np.ndarray, "h w"],
        counted: Bool[np.ndarray, "h w"],
    ) -> None:
        estimate, truth = depth_m[counted].astype(np.float64), true_m[counted].astype(np.float64)
        self._pixels += len(truth)
        self._relative += float((np.abs(estimate - truth) / truth).sum())
        self._squared += float(np.square(estimate - truth).sum())
        ratio = np.maximum(estimate / truth, truth / np.maximum(estimate, 1e-6))
        self._close += float((ratio < 1.25).sum())

    def summary(self) -> dict[str, float]:
        """`absrel`, `rmse_m` and `delta1`; NaN when no pixel was counted."""
        n = self._pixels or float("nan")
        return {
            "absrel": self._relative / n,
            "rmse_m": float(np.sqrt(self._squared / n)),
            "delta1": self._close / n,
        }
