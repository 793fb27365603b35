"""Checks that a manifest agrees with its format, and a model's outputs with both."""

import numpy as np
from jaxtyping import Shaped

from robot_vision.core.errors import BundleError, UnknownNameError
from robot_vision.core.manifests.manifest import ModelManifest, OutputReading
from robot_vision.formats.format import Format, Outputs
from robot_vision.formats.registry import FORMATS, formats_of_tasks

_DIMENSIONS = {
    "depth": (3, 4),
    "depth_m": (4,),
    "features": (4,),
    "embedding": (2,),
    "class_probabilities": (2,),
    "semantic": (4,),
}
# Scores of a multi-task model: the background's first, then one for each class.
_COLUMNS_BESIDE_CLASSES = {"class_probabilities": 0, "semantic": 1}


def check_manifest(manifest: ModelManifest) -> Format:
    """The manifest's format; raises `BundleError` if it is unknown, or disagrees with the rest."""
    try:
        format = FORMATS.get(manifest.format)
    except UnknownNameError as error:
        raise BundleError(str(error)) from error
    if format.task != manifest.task:
        formats = formats_of_tasks()
        if manifest.task not in formats:
            raise BundleError(f"unknown task {manifest.task!r}; available: {', '.join(formats)}")
        raise BundleError(
            f"format {format.name!r} has the task {format.task!r}; task {manifest.task!r} has the "
            f"formats {', '.join(formats[manifest.task])}"
        )
    usual = OutputReading().model_dump()
    for name, value in manifest.reading.model_dump().items():
        known = format.readings.get(name, (usual[name],))
        if value not in known:
            raise BundleError(
                f"format {format.name!r} cannot be read with {name} {value!r}; "
                f"expected {' or '.join(known)}"
            )
    if format.asked_by_words != (manifest.prompt is not None):
        what = "needs" if format.asked_by_words else "has no use for"
        raise BundleError(f"format {format.name!r} {what} a text encoder (`prompt`)")
    if format.detection is not None and not (manifest.classes or format.asked_by_words):
        raise BundleError(f"format {format.name!r} needs the names of its classes")
    if manifest.input.resize == "crop" and manifest.task != "classification":
        raise BundleError(
            f"resize 'crop' leaves out two sides of the picture, and task {manifest.task!r} says "
            "where things are: expected stretch, letterbox or letterbox_topleft"
        )
    _check_keypoints(manifest, format)
    return format


def _check_keypoints(manifest: ModelManifest, format: Format) -> None:
    named = manifest.keypoints
    if not named:
        return
    if format.detection is None or format.detection.keypoints is None:
        raise BundleError(f"format {format.name!r} has no keypoints, but the manifest names some")
    if len(set(named)) < len(named):
        twice = sorted({name for name in named if named.count(name) > 1})
        raise BundleError(f"the manifest gives the name {twice[0]!r} to several keypoints")
    usual = format.detection.keypoint_names
    if usual and len(named) != len(usual):
        raise BundleError(
            f"format {format.name!r} has {len(usual)} keypoints ({', '.join(usual)}), but the "
            f"manifest names {len(named)}"
        )


def check_outputs(manifest: ModelManifest, outputs: Outputs) -> None:
    """Raise `BundleError` unless `outputs`, by role, have the shapes of the manifest's format."""
    format = FORMATS.get(manifest.format)
    if format.detection is not None:
        format.detection.decode(outputs, manifest, min_score=0.5)
    if format.check is not None:
        format.check(outputs, manifest)
    for role, dimensions in _DIMENSIONS.items():
        output = outputs.get(role)
        if output is not None and (output.ndim not in dimensions or output.shape[0] != 1):
            raise BundleError(
                f"bundle {manifest.name!r}: output {role!r} is {list(output.shape)}; "
                f"expected {' or '.join(map(str, dimensions))} dimensions, the first of them 1"
            )
    for role in ("depth", "depth_m"):
        if role in outputs and outputs[role].ndim == 4 and outputs[role].shape[1] != 1:
            raise misfit(manifest, role, outputs[role], "one depth map, [1, 1, h, w]")
    for role, beside in _COLUMNS_BESIDE_CLASSES.items():
        columns = len(manifest.classes) + beside
        if role in outputs and outputs[role].shape[1] != columns:
            raise misfit(manifest, role, outputs[role], f"{columns} in its second dimension")


def misfit(
    manifest: ModelManifest, role: str, output: Shaped[np.ndarray, "..."], expected: str
) -> BundleError:
    """The error for an output whose shape is not what the manifest's format and classes say."""
    return BundleError(
        f"bundle {manifest.name!r}: output {role!r} is {list(output.shape)}; format "
        f"{manifest.format!r} with {len(manifest.classes)} classes and an input of "
        f"{manifest.input.width_px}×{manifest.input.height_px} px expects {expected}"
    )
