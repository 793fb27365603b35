"""The formats of bundles: which outputs each needs, and whether a model's outputs fit."""

from collections.abc import Mapping

import numpy as np

from robot_vision.core.errors import BundleError
from robot_vision.core.manifest import ModelManifest
from robot_vision.perception import (  # noqa: F401  importing fills the registry
    decode_detr,
    decode_yolov8,
    decode_yolox,
)
from robot_vision.perception.decode_native import MASK_ROLES, check_masks
from robot_vision.perception.decoding import DECODERS

_DIMENSIONS = {"depth": (3, 4), "depth_m": (4,), "features": (4,), "embedding": (2,)}


def roles_of(manifest: ModelManifest) -> tuple[str, ...]:
    """The outputs that a model of the manifest's format must have."""
    if manifest.format in DECODERS:
        return DECODERS.get(manifest.format).roles
    return ("features",) if manifest.format == "features" else ("depth",)


def depth_role(manifest: ModelManifest) -> str:
    """The output that holds depth, if the model has it."""
    return "depth_m" if manifest.format == "native" else "depth"


def check_outputs(manifest: ModelManifest, outputs: Mapping[str, np.ndarray]) -> None:
    """Raise `BundleError` unless `outputs`, by role, have the shapes of the manifest's format."""
    if manifest.format in DECODERS:
        DECODERS.get(manifest.format).decode(outputs, manifest, min_score=0.5)
        if all(role in outputs for role in MASK_ROLES):
            check_masks(outputs, manifest)
    for role, dimensions in _DIMENSIONS.items():
        output = outputs.get(role)
        if output is not None and (output.ndim not in dimensions or output.shape[0] != 1):
            raise BundleError(
                f"bundle {manifest.name!r}: output {role!r} is {list(output.shape)}; "
                f"expected {' or '.join(map(str, dimensions))} dimensions, the first of them 1"
            )
