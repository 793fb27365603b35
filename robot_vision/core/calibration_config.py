"""Parameters of `robot-vision calibrate`: the board, and what a calibration must reach."""

from typing import Literal

from pydantic import model_validator

from robot_vision.core.params import Params, param

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
    """A flat board of known size. Its x goes along the rows, its y down, its z into the board."""

    kind: Literal["charuco", "april", "chessboard"] = param(
        "charuco", "chessboard with markers; grid of AprilTags; plain chessboard (`camera` only)"
    )
    columns: int = param(7, "squares or tags along x", ge=2, le=60)
    rows: int = param(5, "squares or tags along y", ge=2, le=60)
    square_m: float = param(
        0.03, "side of a square; of a tag and its gap where there are tags", unit="m", gt=0, le=1
    )
    marker_m: float = param(0.022, "side of a marker, its black border with it", unit="m", gt=0)
    dictionary: Dictionary = param("5X5_100", "OpenCV's dictionary of the markers, without DICT_")
    legacy: bool = param(
        False, "ChArUco as OpenCV drew it before 4.7, where an even number of rows begins white"
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
                f"a chessboard of {self.columns}×{self.rows} squares; expected 4×4 at least, "
                "with three inner corners each way"
            )
        return self


class BoardSightConfig(Params):
    """When a board counts as seen in a picture."""

    least_corners: int = param(8, "corners found", ge=4)
    least_spread_px: float = param(
        20.0, "of the corners across the narrower way of the board", unit="px", gt=0
    )
    most_misfit_px: float = param(
        2.0, "RMS of the corners against a flat board in the best place", unit="px", gt=0
    )


class HandEyeConfig(Params):
    """What views and fit of a hand-eye calibration must reach; else it is refused."""

    least_views: int = param(8, "views that differ and show the board", ge=4)
    same_m: float = param(0.003, "poses nearer than this …", unit="m", ge=0)
    same_deg: float = param(0.5, "… and turned by less than this are one", unit="deg", ge=0)
    least_turn_deg: float = param(
        10.0, "mean turn between views, across every axis", unit="deg", ge=1, le=90
    )
    farthest_m: float = param(10.0, "of the tool from the base", unit="m", gt=0)
    most_residual_px: float = param(3.0, "RMS of the corners in all kept views", unit="px", gt=0)
    outlier_ratio: float = param(
        3.0, "a view is dropped whose RMS is above this many medians …", ge=1.5
    )
    outlier_px: float = param(1.5, "… and above this", unit="px", gt=0)
    most_dropped_share: float = param(0.34, "of the views", ge=0, le=0.5)
    most_scale_error: float = param(
        0.005, "of the board's size against the arm's metres", gt=0, le=0.2
    )
    most_uncertainty_m: float = param(
        0.003, "standard error of the camera's place", unit="m", gt=0
    )
    most_uncertainty_deg: float = param(
        0.3, "standard error of the camera's direction", unit="deg", gt=0
    )


class IntrinsicsConfig(Params):
    """What the calibration of a lens must reach; else it is refused."""

    least_views: int = param(8, "views that differ and show the board", ge=4)
    least_tilt_deg: float = param(
        15.0, "of the board against the picture in a quarter of the views", unit="deg", ge=0
    )
    least_cover: float = param(
        0.5, "share of the picture's cells (6×6) in which corners lie", ge=0, le=1
    )
    same_px: float = param(3.0, "views whose corners differ by less are one", unit="px", ge=0)
    most_residual_px: float = param(1.0, "RMS of the corners in all kept views", unit="px", gt=0)
    outlier_ratio: float = param(
        3.0, "a view is dropped whose RMS is above this many medians …", ge=1.5
    )
    outlier_px: float = param(0.8, "… and above this", unit="px", gt=0)
    most_dropped_share: float = param(0.34, "of the views", ge=0, le=0.5)
    most_focal_error: float = param(0.01, "standard error of the focal length, a share", gt=0)


class CaptureConfig(Params):
    """When a picture is taken for a hand-eye calibration."""

    still_s: float = param(
        0.5, "how long the tool must rest before and after a picture", unit="s", gt=0, le=10
    )
    still_m: float = param(0.0005, "how far it may move meanwhile", unit="m", gt=0)
    still_deg: float = param(0.1, "how far it may turn meanwhile", unit="deg", gt=0)
    wait_s: float = param(5.0, "longest wait for a picture", unit="s", gt=0, le=60)


class RecordedLensConfig(Params):
    """Which pictures of a recording are taken to calibrate a lens."""

    every_s: float = param(0.1, "between the pictures that are looked at", unit="s", gt=0, le=10)
    still_px: float = param(
        1.5, "way of the board since the picture before, at most", unit="px", gt=0
    )
    apart_px: float = param(
        20.0, "way of the board from every picture taken, at least", unit="px", gt=0
    )
    most_views: int = param(60, "pictures taken", ge=8, le=1000)
