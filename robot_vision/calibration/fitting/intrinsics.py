"""Calibrates a lens from pictures of a board with OpenCV, on the views that fit, and judges it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float64

from robot_vision.calibration.boards.sight import BoardSighting
from robot_vision.calibration.fitting.outliers import kept_views
from robot_vision.core.cameras.camera_check import checked_camera
from robot_vision.core.cameras.geometry import rays_of
from robot_vision.core.cameras.lens import DistortionModel
from robot_vision.core.errors import CalibrationError
from robot_vision.core.parameters.groups.calibration_config import IntrinsicsConfig
from robot_vision.core.types import Camera

_CELLS = 6
_ROUNDS = 5
_COEFFICIENTS: dict[DistortionModel, int] = {
    "plumb_bob": 5,
    "rational_polynomial": 8,
    "equidistant": 4,
}


@dataclass(frozen=True, kw_only=True, eq=False)
class LensView:
    """How a view fits the lens, and the angle between board and picture."""

    name: str
    is_kept: bool
    rms_px: float
    tilt_deg: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Lens:
    """A camera and how well it fits; `errors_px` are standard errors of fx, fy, cx, cy."""

    camera: Camera
    rms_px: float
    errors_px: Float64[np.ndarray, "4"]
    views: tuple[LensView, ...]
    cover: float


@dataclass(frozen=True, kw_only=True, eq=False)
class _Fit:
    matrix: np.ndarray
    coefficients: np.ndarray
    turns: np.ndarray
    view_rms_px: np.ndarray
    errors_px: np.ndarray


def calibrate_lens(
    sights: Mapping[str, BoardSighting],
    *,
    frame_id: str,
    model: DistortionModel = "plumb_bob",
    config: IntrinsicsConfig | None = None,
) -> Lens:
    """The lens from the pictures (Zhang 2000, as in OpenCV), by views that agree.

    Raises `CalibrationError` with the value, what was expected and what to do if there are too
    few different views, too little of the picture is covered, or the fit is not a plausible lens.
    """
    config = config or IntrinsicsConfig()
    kept = _distinct(sights, config)
    if len(kept) < config.least_views:
        raise CalibrationError(
            f"{len(kept)} of {len(sights)} views of the board differ; expected "
            f"{config.least_views} at least"
        )
    cover = _cover(list(sights.values()))
    if cover < config.least_cover:
        raise CalibrationError(
            f"corners lie in {cover:.0%} of the picture's {_CELLS}×{_CELLS} cells; expected "
            f"{config.least_cover:.0%}: bring the board nearer, and into all four corners"
        )
    considered = list(kept)
    fit = _fit(sights, kept, model)
    for _ in range(_ROUNDS):
        is_kept = kept_views(fit.view_rms_px, config)
        if is_kept.all():
            break
        kept = [name for name, keep in zip(kept, is_kept, strict=True) if keep]
        fit = _fit(sights, kept, model)
    _judge(fit, kept, considered, config)
    first = next(iter(sights.values()))
    camera = checked_camera(
        frame_id=frame_id,
        width_px=first.image_size_px[0],
        height_px=first.image_size_px[1],
        intrinsics_px=fit.matrix,
        distortion=fit.coefficients,
        distortion_model=model,
    )
    _check_rays(camera)
    return Lens(
        camera=camera,
        rms_px=float(np.sqrt((fit.view_rms_px**2).mean())),
        errors_px=fit.errors_px,
        views=_lens_views(sights, considered, kept, fit),
        cover=cover,
    )


def _distinct(sights: Mapping[str, BoardSighting], config: IntrinsicsConfig) -> list[str]:
    """Views in which the board's pose differs from all earlier ones."""
    kept: list[str] = []
    for name, sight in sights.items():
        for other in kept:
            _, mine, theirs = np.intersect1d(sight.ids, sights[other].ids, return_indices=True)
            apart_px = sight.pixel_px[mine] - sights[other].pixel_px[theirs]
            if len(mine) and np.abs(apart_px).max() < config.same_px:
                break
        else:
            kept.append(name)
    return kept


def _cover(sights: list[BoardSighting]) -> float:
    """Share of the picture's cells that contain corners of any view."""
    cells = np.zeros((_CELLS, _CELLS), bool)
    for sight in sights:
        place = (sight.pixel_px / sight.image_size_px * _CELLS).astype(int).clip(0, _CELLS - 1)
        cells[place[:, 1], place[:, 0]] = True
    return float(cells.mean())


def _fit(sights: Mapping[str, BoardSighting], names: list[str], model: DistortionModel) -> _Fit:
    points = [sights[name].points_m.astype(np.float32) for name in names]
    pixels = [sights[name].pixel_px.astype(np.float32) for name in names]
    size_px = sights[names[0]].image_size_px
    try:
        if model == "equidistant":
            return _fit_fisheye(points, pixels, size_px)
        return _fit_brown(points, pixels, size_px, model)
    except cv2.error as error:
        raise CalibrationError(
            f"OpenCV finds no lens ({str(error).strip()[:200]}): expected views that differ, "
            "with the board tilted"
        ) from error


def _fit_brown(
    points: list[np.ndarray],
    pixels: list[np.ndarray],
    size_px: tuple[int, int],
    model: DistortionModel,
) -> _Fit:
    flags = cv2.CALIB_RATIONAL_MODEL if model == "rational_polynomial" else 0
    guess: Any = None
    _, matrix, coefficients, turns, _, errors, _, view_rms = cv2.calibrateCameraExtended(
        points, pixels, size_px, guess, guess, flags=flags
    )
    return _Fit(
        matrix=matrix,
        coefficients=coefficients.ravel()[: _COEFFICIENTS[model]],
        turns=np.array(turns).reshape(-1, 3),
        view_rms_px=view_rms.ravel(),
        errors_px=np.asarray(errors, np.float64).ravel()[:4],
    )


def _fit_fisheye(
    points: list[np.ndarray], pixels: list[np.ndarray], size_px: tuple[int, int]
) -> _Fit:
    home: Any = cv2 if hasattr(cv2, "CALIB_RECOMPUTE_EXTRINSIC") else cv2.fisheye  # OpenCV 4
    flags = home.CALIB_RECOMPUTE_EXTRINSIC | home.CALIB_FIX_SKEW
    matrix, coefficients = np.eye(3), np.zeros((4, 1))
    stacked = [point[None].astype(np.float64) for point in points]
    seen = [pixel[None].astype(np.float64) for pixel in pixels]
    _, matrix, coefficients, turns, places = cv2.fisheye.calibrate(
        stacked, seen, size_px, matrix, coefficients, flags=flags
    )
    view_rms, slopes, misses = [], [], []
    for point, pixel, turn, place in zip(stacked, seen, turns, places, strict=True):
        projected, jacobian = cv2.fisheye.projectPoints(point, turn, place, matrix, coefficients)
        miss = (projected - pixel).reshape(-1, 2)
        view_rms.append(np.sqrt((miss**2).sum(axis=1).mean()))
        slopes.append(np.asarray(jacobian)[:, :4])
        misses.append(miss.ravel())
    return _Fit(
        matrix=matrix,
        coefficients=coefficients.ravel(),
        turns=np.array(turns).reshape(-1, 3),
        view_rms_px=np.array(view_rms),
        errors_px=_errors_of(np.concatenate(slopes), np.concatenate(misses)),
    )


def _errors_of(slopes: np.ndarray, misses: np.ndarray) -> np.ndarray:
    """Standard errors of fx, fy, cx, cy with all else fixed: a lower bound."""
    variance = (misses**2).mean()
    return np.sqrt(np.diag(np.linalg.inv(slopes.T @ slopes)) * variance)


def _judge(fit: _Fit, kept: list[str], considered: list[str], config: IntrinsicsConfig) -> None:
    rms_px = float(np.sqrt((fit.view_rms_px**2).mean()))
    if rms_px > config.most_residual_px:
        raise CalibrationError(
            f"the best fit leaves {rms_px:.2f} px RMS; expected below {config.most_residual_px:g} "
            "px: is the board flat, its file right, the lens of this model (--model)?"
        )
    dropped = [name for name in considered if name not in kept]
    if len(dropped) > config.most_dropped_share * len(considered) or (
        len(kept) < config.least_views
    ):
        raise CalibrationError(
            f"{len(dropped)} of {len(considered)} views do not fit the others "
            f"({', '.join(dropped[:8])}); expected at most {config.most_dropped_share:.0%}, and "
            f"{config.least_views} left"
        )
    steep_deg = float(np.quantile(_tilts_deg(fit.turns), 0.75))
    if steep_deg < config.least_tilt_deg:
        raise CalibrationError(
            f"a quarter of the views tilt the board by {steep_deg:.1f}° or more; expected "
            f"{config.least_tilt_deg:g}°, as focal length and distance cannot be separated "
            "otherwise: tilt the board to all four sides"
        )
    focal_share = float((fit.errors_px[:2] / np.diag(fit.matrix)[:2]).max())
    if not focal_share <= config.most_focal_error:
        raise CalibrationError(
            f"the focal length is uncertain by {focal_share:.1%}; expected "
            f"{config.most_focal_error:.0%} at most: take more views, closer and with more tilt"
        )


def _tilts_deg(turns: np.ndarray) -> np.ndarray:
    """Angle between the board and the image plane."""
    cosines = [abs(cv2.Rodrigues(turn)[0][2, 2]) for turn in turns]
    return np.degrees(np.arccos(np.clip(cosines, 0, 1)))


def _check_rays(camera: Camera) -> None:
    """Every pixel must have a ray: a polynomial that folds within the picture is not a lens."""
    x, y = np.meshgrid(
        np.linspace(0, camera.width_px - 1, 17), np.linspace(0, camera.height_px - 1, 13)
    )
    rays = rays_of(np.stack([x.ravel(), y.ravel()], axis=1), camera=camera)
    blind = np.isnan(rays).any(axis=1).mean()
    if blind > 0:
        raise CalibrationError(
            f"the distortion folds within the picture: {blind:.0%} of it would see nothing; "
            "expected corners up to the picture's border, or a model with fewer coefficients "
            "(--model plumb_bob; equidistant for fisheyes)"
        )


def _lens_views(
    sights: Mapping[str, BoardSighting], considered: list[str], kept: list[str], fit: _Fit
) -> tuple[LensView, ...]:
    """Every view; figures of dropped ones are NaN."""
    tilts_deg = _tilts_deg(fit.turns)
    places = {name: number for number, name in enumerate(kept)}
    views = []
    for name in sights:
        number = places.get(name)
        is_kept = number is not None and name in considered
        views.append(
            LensView(
                name=name,
                is_kept=is_kept,
                rms_px=float(fit.view_rms_px[number]) if number is not None else float("nan"),
                tilt_deg=float(tilts_deg[number]) if number is not None else float("nan"),
            )
        )
    return tuple(views)
