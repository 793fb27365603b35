"""Whether the arm was at rest around a picture, and where."""

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from jaxtyping import Float64
from scipy.spatial.transform import Rotation

from robot_vision.core.clock import NS_PER_S
from robot_vision.core.errors import CalibrationError
from robot_vision.core.parameters.groups.calibration_config import CaptureConfig

_MOST_KEPT = 5000

# A stamp in nanoseconds, and base_from_tool at it.
Report: TypeAlias = tuple[int, Float64[np.ndarray, "4 4"]]


class StillnessWatch:
    """Remembers reported tool poses by their stamps."""

    def __init__(self, config: CaptureConfig) -> None:
        self._config = config
        self._reports: deque[Report] = deque(maxlen=_MOST_KEPT)

    def add(self, stamp_ns: int, base_from_tool: Float64[np.ndarray, "4 4"]) -> None:
        self._reports.append((stamp_ns, base_from_tool))

    def still_pose(self, picture_ns: int) -> Float64[np.ndarray, "4 4"]:
        """The tool's pose for the picture of this stamp; raises as `still_pose` does."""
        reports = sorted(self._reports, key=lambda report: report[0])
        return still_pose(reports, picture_ns, self._config)


def still_pose(
    reports: Sequence[Report], picture_ns: int, config: CaptureConfig
) -> Float64[np.ndarray, "4 4"]:
    """The report nearest to a picture's stamp, if the tool was at rest around it.

    Raises `CalibrationError` if it moved within `still_s` before or after the picture, or
    there are too few reports to decide.
    """
    reach_ns = round(config.still_s * NS_PER_S)
    first = bisect_left(reports, picture_ns - reach_ns, key=lambda report: report[0])
    end = bisect_right(reports, picture_ns + reach_ns, key=lambda report: report[0])
    around = reports[first:end]
    if not around or around[0][0] > picture_ns or around[-1][0] < picture_ns:
        raise CalibrationError(
            f"{len(around)} tool poses within {config.still_s:g} s of the picture; expected some "
            "before and after it: is tool_pose published, with stamps from the camera's clock?"
        )
    _, pose = min(around, key=lambda report: abs(report[0] - picture_ns))
    poses = np.array([other for _, other in around])
    moved_m = float(np.linalg.norm(poses[:, :3, 3] - pose[:3, 3], axis=1).max())
    turns = Rotation.from_matrix(poses[:, :3, :3] @ pose[:3, :3].T)
    turned_deg = float(np.degrees(turns.magnitude().max()))
    if moved_m > config.still_m or turned_deg > config.still_deg:
        raise CalibrationError(
            f"the tool moved by {moved_m * 1e3:.1f} mm and {turned_deg:.2f}° around the "
            f"picture; expected at most {config.still_m * 1e3:g} mm and {config.still_deg:g}° "
            f"within {config.still_s:g} s: wait until the arm is at rest"
        )
    return pose
