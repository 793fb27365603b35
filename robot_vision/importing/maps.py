"""Whether outputs of formats that find no boxes can be the maps that they are taken for."""

from collections.abc import Mapping

import numpy as np

from robot_vision.core.manifest import ModelManifest

_MAP_ROLES = ("depth", "depth_m", "features")
_SMALLEST_CELLS = 4
_ASPECT_TOLERANCE = 0.1


def is_plausible_map(manifest: ModelManifest, outputs: Mapping[str, np.ndarray]) -> bool:
    """Whether every map among `outputs`, by role, has the input's ratio of width to height.

    Rows of a detector have the rank of a map of classes, and are none.
    """
    aspect = manifest.input.width_px / manifest.input.height_px
    for role in _MAP_ROLES:
        if role in outputs and not _has_aspect(outputs[role].shape[-2:], aspect):
            return False
    if manifest.task != "segmentation":
        return True
    shape = outputs["output"].shape  # channels first or last
    return _has_aspect(shape[-2:], aspect) or _has_aspect(shape[-3:-1], aspect)


def _has_aspect(size: tuple[int, ...], aspect: float) -> bool:
    height, width = size
    is_map = min(height, width) >= _SMALLEST_CELLS
    return is_map and abs(width / height / aspect - 1) <= _ASPECT_TOLERANCE
