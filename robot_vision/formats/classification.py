"""Classification of a whole picture: one output [1, C] of logits or probabilities."""

import numpy as np

from robot_vision.core.manifests.manifest import ModelManifest
from robot_vision.core.types import Classification
from robot_vision.formats.activations import softmax
from robot_vision.formats.check import misfit
from robot_vision.formats.format import Format, Outputs
from robot_vision.formats.habits import IMAGENET
from robot_vision.formats.reading import (
    check_kind_of_scores,
    columns_of_scores,
    without_background,
)
from robot_vision.formats.registry import register_format


def decode_classification(
    outputs: Outputs, manifest: ModelManifest, *, stamp_ns: int
) -> Classification:
    """All classes by falling probability; raises `BundleError` if the shapes do not fit.

    Logits compete by softmax. A background takes its share, but is not a class.
    """
    scores = _scores(outputs, manifest).astype(np.float32, copy=False)
    share = softmax(scores) if manifest.reading.scores == "logits" else scores
    probability = without_background(share[None], manifest)[0]
    order = np.argsort(-probability, kind="stable")
    return Classification(stamp_ns=stamp_ns, class_id=order, probability=probability[order])


def _scores(outputs: Outputs, manifest: ModelManifest) -> np.ndarray:
    """The scores of all columns; some exporters leave a height and a width of one."""
    output, columns = outputs["output"], columns_of_scores(manifest)
    if output.shape not in ((1, columns), (1, columns, 1, 1), (1, 1, 1, columns)):
        raise misfit(manifest, "output", output, f"[1, {columns}]")
    return output.reshape(columns)


def _check(outputs: Outputs, manifest: ModelManifest) -> None:
    check_kind_of_scores(_scores(outputs, manifest), manifest, axis=0)


register_format(
    Format(
        name="classification",
        task="classification",
        roles=("output",),
        check=_check,
        habits={"resize": "stretch", **IMAGENET},
        readings={"scores": ("logits", "probabilities"), "background": ("none", "first")},
        other_names={"logits": "output"},
    )
)
