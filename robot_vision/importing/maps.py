"""Whether outputs of formats that find no boxes can be the maps that they are taken for."""

from collections.abc import Mapping

import numpy as np

from robot_vision.core.manifest import ModelManifest

_MAP_ROLES = ("depth", "depth_m", "features")
_SMALLEST_CELLS = 4
_ASPECT_TOLERANCE = 0.1


def is_plausible_map(manifest: ModelManifest, outputs: Mapping[str, np.ndarray]) -> bool:
    """Whether every map among `outputs`, by role, has the input's ratio of width to height."""
    aspect = manifest.input.width_px / manifest.input.height_px
    for role in _MAP_ROLES:
        if role not in outputs:
            continue
        *_, height, width = outputs[role].shape
        if min(height, width) < _SMALLEST_CELLS:
            return False
        if abs(width / height / aspect - 1) > _ASPECT_TOLERANCE:
            return False
    return True
