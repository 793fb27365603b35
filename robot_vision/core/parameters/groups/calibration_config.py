"""Parameters of `robot-vision calibrate`: the board, and the quality a calibration must reach."""

from typing import Literal

from pydantic import model_validator

from robot_vision.core.parameters.params import Params, param

Dictionary = Literal[
    "4X4_50",
    "4X4_250",
    "5X5_100",
    "5X5_250",
    "6X6_250",
    "APRILTAG_16h5",
    "APRILTAG_25h9",
    "APRILTAG_36h11",
]


class BoardConfig(Params):
    """A flat board of known size. Its x axis runs along the rows, y down, z into the board."""

    kind: Literal["charuco", "april", "chessboard"] = param(
        "charuco", "chessboard with markers; grid of AprilTags; plain chessboard (`camera` only)"
    )
    columns: int = param(7, "squares or tags along x", ge=2, le=60)
    rows: int = param(5, "squares or tags along y", ge=2, le=60)
    square_m: float = param(
        0.03, "side of a square; with tags, side of a tag plus its gap", unit="m", gt=0, le=1
    )
    marker_m: float = param(0.022, "side of a marker, including its black border", unit="m", gt=0)
    dictionary: Dictionary = param("5X5_100", "OpenCV marker dictionary, without DICT_")
    legacy: bool = param(
        False,
        "ChArUco layout of OpenCV before 4.7: boards with an even number of rows begin white",
    )

    @model_validator(mode="after")
    def _fits(self) -> "BoardConfig":
        if self.kind != "chessboard" and self.marker_m >= self.square_m:
            raise ValueError(
                f"marker_m {self.marker_m:g} and square_m {self.square_m:g}; expected a marker "
                "that is smaller than its square"
            )
        if self.kind == "chessboard" and min(self.columns, self.rows) < 4:
            raise ValueError(
                f"a chessboard of {self.columns}×{self.rows} squares; expected at least 4×4, "
                "with three inner corners each way"
            )
        return self


class BoardSightConfig(Params):
    """When a board counts as seen in a picture."""

    least_corners: int = param(8, "corners found", ge=4)
    least_spread_px: float = param(
        20.0, "extent of the corners across the narrower side of the board", unit="px", gt=0
    )
    most_misfit_px: float = param(
        2.0,
        "RMS reprojection error of the corners for the best-fitting flat board",
        unit="px",
        gt=0,
    )


class HandEyeConfig(Params):
    """Minimum quality of the views and fit of a hand-eye calibration; otherwise it is rejected."""

    least_views: int = param(8, "distinct views that show the board", ge=4)
    same_m: float = param(0.003, "poses closer than this …", unit="m", ge=0)
    same_deg: float = param(0.5, "… and within this angle count as one", unit="deg", ge=0)
    least_turn_deg: float = param(
        10.0, "mean rotation between views, about every axis", unit="deg", ge=1, le=90
    )
    farthest_m: float = param(10.0, "distance of the tool from the base", unit="m", gt=0)
    most_residual_px: float = param(3.0, "RMS of the corners in all kept views", unit="px", gt=0)
    outlier_ratio: float = param(
        3.0, "a view is dropped if its RMS exceeds this many medians …", ge=1.5
    )
    outlier_px: float = param(1.5, "… and this value", unit="px", gt=0)
    most_dropped_share: float = param(0.34, "of the views", ge=0, le=0.5)
    most_scale_error: float = param(
        0.005, "difference between the board's size and the arm's metres", gt=0, le=0.2
    )
    most_uncertainty_m: float = param(
        0.003, "standard error of the camera's position", unit="m", gt=0
    )
    most_uncertainty_deg: float = param(
        0.3, "standard error of the camera's orientation", unit="deg", gt=0
    )


class IntrinsicsConfig(Params):
    """Minimum quality of a lens calibration; otherwise it is rejected."""

    least_views: int = param(8, "distinct views that show the board", ge=4)
    least_tilt_deg: float = param(
        15.0,
        "tilt of the board against the image plane in a quarter of the views",
        unit="deg",
        ge=0,
    )
    least_cover: float = param(
        0.5, "share of the image's cells (6×6) that contain corners", ge=0, le=1
    )
    same_px: float = param(3.0, "views whose corners differ by less count as one", unit="px", ge=0)
    most_residual_px: float = param(1.0, "RMS of the corners in all kept views", unit="px", gt=0)
    outlier_ratio: float = param(
        3.0, "a view is dropped if its RMS exceeds this many medians …", ge=1.5
    )
    outlier_px: float = param(0.8, "… and this value", unit="px", gt=0)
    most_dropped_share: float = param(0.34, "of the views", ge=0, le=0.5)
    most_focal_error: float = param(0.01, "relative standard error of the focal length", gt=0)


class CaptureConfig(Params):
    """When a picture is taken for a hand-eye calibration."""

    still_s: float = param(
        0.5, "how long the tool must rest before and after a picture", unit="s", gt=0, le=10
    )
    still_m: float = param(0.0005, "how far the tool may move meanwhile", unit="m", gt=0)
    still_deg: float = param(0.1, "how far the tool may turn meanwhile", unit="deg", gt=0)
    wait_s: float = param(5.0, "longest wait for a picture", unit="s", gt=0, le=60)


class RecordedLensConfig(Params):
    """Which pictures of a recording are used to calibrate a lens."""

    every_s: float = param(
        0.1, "time between the pictures that are examined", unit="s", gt=0, le=10
    )
    still_px: float = param(
        1.5, "largest movement of the board since the previous picture", unit="px", gt=0
    )
    apart_px: float = param(
        20.0, "smallest movement of the board from every selected picture", unit="px", gt=0
    )
    most_views: int = param(60, "pictures selected", ge=8, le=1000)
