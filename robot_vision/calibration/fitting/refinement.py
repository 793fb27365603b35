"""The mounting with the least reprojection error over all corners, and its uncertainty."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from scipy.optimize import least_squares

from robot_vision.calibration.fitting.reprojection import Mounting, Reprojection

_POSES = 12
# Errors beyond this count less and less while bad views are still included.
_SOFT_PX = 2.0
_MOST_STEPS = 60


@dataclass(frozen=True, kw_only=True, eq=False)
class Refined:
    """A mounting and each view's RMS."""

    mounting: Mounting
    view_rms_px: Float64[np.ndarray, " v"]

    @property
    def rms_px(self) -> float:
        return float(np.sqrt((self.view_rms_px**2).mean()))


def refine(
    problem: Reprojection, start: Mounting, *, with_scale: bool = False, is_soft: bool = False
) -> Refined:
    """Least squares over both poses (and the board's size), with Cauchy's loss if requested."""

    def errors(step: np.ndarray) -> np.ndarray:
        return problem.residuals_px(start.moved(step)).ravel()

    found = least_squares(
        errors,
        np.zeros(_POSES + with_scale),
        x_scale="jac",
        loss="cauchy" if is_soft else "linear",
        f_scale=_SOFT_PX,
        max_nfev=_MOST_STEPS,
    )
    mounting = start.moved(found.x)
    return Refined(mounting=mounting, view_rms_px=problem.view_rms_px(mounting))


def covariance_of(
    problem: Reprojection, mounting: Mounting, *, with_scale: bool = False
) -> Float64[np.ndarray, "p p"]:
    """Covariance of the steps of `Mounting.moved` at the minimum, by the jackknife over views.

    Each view is left out in turn, for one Gauss-Newton step: errors within a view are correlated,
    as an arm error moves all its corners. Infinite if a single view determines a direction.
    """
    parameters = _POSES + with_scale
    slopes = _slopes(problem, mounting, parameters)
    errors = problem.residuals_px(mounting)
    squares = np.einsum("nip,niq->npq", slopes, slopes)
    pulls = np.einsum("nip,ni->np", slopes, errors)
    normal = np.zeros((problem.views, parameters, parameters))
    pull = np.zeros((problem.views, parameters))
    np.add.at(normal, problem.view_of, squares)
    np.add.at(pull, problem.view_of, pulls)
    without = normal.sum(axis=0) - normal
    try:
        steps = np.linalg.solve(without, pull[:, :, None])[:, :, 0]
    except np.linalg.LinAlgError:
        return np.full((parameters, parameters), np.inf)
    share = (problem.views - 1) / problem.views
    return share * steps.T @ steps


def _slopes(problem: Reprojection, mounting: Mounting, parameters: int) -> np.ndarray:
    """Change of the errors by each parameter: n×2×p, by central differences."""
    size = 1e-6
    columns = []
    for step in np.eye(parameters) * size:
        ahead = problem.residuals_px(mounting.moved(step))
        behind = problem.residuals_px(mounting.moved(-step))
        columns.append((ahead - behind) / (2 * size))
    return np.stack(columns, axis=2)
