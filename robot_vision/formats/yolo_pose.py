"""YOLO pose: boxes and classes as in `yolov8`, and x, y in input pixels and a score per keypoint.

`output` [1, 4 + C + 3K, N], or [1, M, 6 + 3K] for M objects where suppression is inside the graph.
The manifest names the K keypoints; if it names none, the output decides their number. Models
whose keypoints have no score (2K numbers) must name them.
"""

from collections.abc import Iterator
from contextlib import suppress

import numpy as np
from jaxtyping import Float32, Int64

from robot_vision.core.errors import BundleError
from robot_vision.core.manifests.manifest import ModelManifest
from robot_vision.formats.check import misfit
from robot_vision.formats.format import Candidates, Detection, Format, Outputs
from robot_vision.formats.reading import input_size_px
from robot_vision.formats.registry import register_format
from robot_vision.formats.yolo_head import Head, head_candidates, read_head


def _head(outputs: Outputs, manifest: ModelManifest) -> Head:
    output = outputs["output"]
    if output.ndim != 3:
        raise misfit(manifest, "output", output, "[1, values, N]")
    count = len(manifest.keypoints)
    for extra in _extras(output, manifest):
        if extra in (3 * count, 2 * count) if count else extra > 0 and extra % 3 == 0:
            with suppress(BundleError):
                return read_head(outputs, manifest, extra=extra)
    named = f"{count} keypoints" if count else "some keypoints"
    expected = f"{4 + len(manifest.classes)} values and 3 for each of {named}"
    raise misfit(manifest, "output", output, expected)


def _extras(output: np.ndarray, manifest: ModelManifest) -> Iterator[int]:
    """How many numbers may follow score and class, the commonest layout first."""
    channels, rows = output.shape[1:]
    per_cell = 4 + len(manifest.classes)
    yield from (channels - per_cell, rows - per_cell, rows - 6)


def _decode(outputs: Outputs, manifest: ModelManifest, *, min_score: float) -> Candidates:
    return head_candidates(_head(outputs, manifest), manifest, min_score=min_score)


def _keypoints(
    outputs: Outputs, manifest: ModelManifest, *, row: Int64[np.ndarray, " n"]
) -> Float32[np.ndarray, "n k 3"]:
    values = _head(outputs, manifest).extra[row].astype(np.float32)
    count = len(manifest.keypoints) or values.shape[1] // 3
    given = values.reshape(len(row), count, values.shape[1] // count)
    keypoint = np.full((len(row), count, 3), np.nan, np.float32)
    keypoint[..., : given.shape[2]] = given
    if manifest.reading.box_units == "fractions":
        keypoint[..., :2] *= input_size_px(manifest)[:2]
    return keypoint


register_format(
    Format(
        name="yolo_pose",
        task="detection",
        roles=("output",),
        detection=Detection(decode=_decode, needs_nms=True, keypoints=_keypoints),
        habits={"resize": "letterbox"},
        readings={"box_units": ("pixels", "fractions")},
    )
)
