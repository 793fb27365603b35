"""Checks whether outputs of formats without boxes can be the maps they are taken for."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Shaped

from robot_vision.core.manifests.manifest import ModelManifest

_MAP_ROLES = ("depth", "depth_m", "features")
_SMALLEST_CELLS = 4
_ASPECT_TOLERANCE = 0.1
_FEW_VALUES = 256
# Parts of names that exporters give to features, never to class scores.
_FEATURE_WORDS = ("feature", "hidden_state", "embedding", "backbone")


def is_plausible_map(manifest: ModelManifest, outputs: Mapping[str, np.ndarray]) -> bool:
    """Whether every map among `outputs`, by role, has the input's ratio of width to height.

    Rows of a detector have the rank of a class map, but are not one. Depth is a single map of
    numbers that are not all integers, unlike class numbers.
    """
    aspect = manifest.input.width_px / manifest.input.height_px
    for role in _MAP_ROLES:
        if role in outputs and not _has_aspect(outputs[role].shape[-2:], aspect):
            return False
    if manifest.task == "depth" and holds_class_numbers(outputs["depth"]):
        return False
    if manifest.task != "segmentation":
        return True
    shape = outputs["output"].shape  # channels first or last
    return _has_aspect(shape[-2:], aspect) or _has_aspect(shape[-3:-1], aspect)


def holds_class_numbers(output: Shaped[np.ndarray, "..."]) -> bool:
    """Whether these are a few different integers from 0 on, of any type."""
    if np.issubdtype(output.dtype, np.integer):
        return True
    values = np.unique(output)
    is_whole = np.isfinite(values).all() and (values == np.floor(values)).all()
    return bool(is_whole and 1 < len(values) <= _FEW_VALUES and values[0] >= 0)


def is_called_features(names: Sequence[str]) -> bool:
    """Whether an output is named like features."""
    return any(word in name.lower() for name in names for word in _FEATURE_WORDS)


def _has_aspect(size: tuple[int, ...], aspect: float) -> bool:
    height, width = size
    is_map = min(height, width) >= _SMALLEST_CELLS
    return is_map and abs(width / height / aspect - 1) <= _ASPECT_TOLERANCE
