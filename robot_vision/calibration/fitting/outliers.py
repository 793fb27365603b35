"""Finds the views that agree with the others."""

import numpy as np
from jaxtyping import Bool, Float64

from robot_vision.core.parameters.groups.calibration_config import HandEyeConfig, IntrinsicsConfig


def kept_views(
    view_rms_px: Float64[np.ndarray, " v"], config: HandEyeConfig | IntrinsicsConfig
) -> Bool[np.ndarray, " v"]:
    """Views with an error not far above the others'; never fewer than the better half."""
    middle_px = float(np.median(view_rms_px))
    return view_rms_px <= max(config.outlier_px, config.outlier_ratio * middle_px)
