"""Semantic segmentation: the class of every cell of a grid over the input.

One output of scores [1, C, h, w] or [1, h, w, C], or of integer class numbers as [1, h, w],
[1, 1, h, w] or [1, h, w, 1]. One class without a background has one map of scores, and is seen
where it is more likely than not.
"""

import numpy as np
from jaxtyping import Float32, Shaped

from robot_vision.core.cameras.placement import Placement
from robot_vision.core.manifests.manifest import ModelManifest
from robot_vision.core.types import SemanticMap
from robot_vision.formats.activations import sigmoid, softmax
from robot_vision.formats.check import misfit
from robot_vision.formats.format import Format, Outputs
from robot_vision.formats.habits import IMAGENET
from robot_vision.formats.reading import check_kind_of_scores, columns_of_scores
from robot_vision.formats.registry import register_format

_UNLABELLED = 255


def decode_semantic(
    outputs: Outputs, manifest: ModelManifest, *, stamp_ns: int, placement: Placement
) -> SemanticMap:
    """Classes over the view; raises `BundleError` if the shapes do not fit."""
    grid = _grid(outputs["output"], manifest)
    view = placement.crop(grid, input_width_px=manifest.input.width_px)
    if holds_classes(view):
        return SemanticMap(stamp_ns=stamp_ns, class_id=_known(view[0].astype(np.int64), manifest))
    column, probability = _likeliest(view.astype(np.float32), manifest)
    return SemanticMap(
        stamp_ns=stamp_ns, class_id=_known(column, manifest), probability=probability
    )


def strange_label(outputs: Outputs, manifest: ModelManifest) -> int | None:
    """A class number in the map that is neither a class nor the background, if there is one.

    255, and what is below 0, mark pixels without a label.
    """
    output = outputs["output"]
    if not holds_classes(output):
        return None
    strange = output[(output >= columns_of_scores(manifest)) & (output != _UNLABELLED)]
    return int(strange.max()) if strange.size else None


def _grid(output: np.ndarray, manifest: ModelManifest) -> Shaped[np.ndarray, "c h w"]:
    """Maps of scores, or one map of class numbers."""
    columns = columns_of_scores(manifest)
    maps = output[:, None] if output.ndim == 3 else output
    wanted = (1,) if holds_classes(output) else (columns,)
    if maps.ndim == 4 and maps.shape[0] == 1 and maps.shape[1] in wanted:
        return maps[0]
    if maps.ndim == 4 and maps.shape[0] == 1 and maps.shape[3] in wanted:
        return maps[0].transpose(2, 0, 1)
    expected = f"[1, {columns}, h, w], or integer class numbers as [1, h, w]"
    raise misfit(manifest, "output", output, expected)


def holds_classes(output: Shaped[np.ndarray, "..."]) -> bool:
    """Whether a map holds class numbers rather than scores."""
    return np.issubdtype(output.dtype, np.integer)


def _likeliest(
    scores: Float32[np.ndarray, "c h w"], manifest: ModelManifest
) -> tuple[np.ndarray, Float32[np.ndarray, "h w"]]:
    """The column of the highest probability, and its value; -1 where the only one is unlikely."""
    is_logits = manifest.reading.scores == "logits"
    if len(scores) == 1:
        probability = sigmoid(scores[0]) if is_logits else scores[0]
        return np.where(probability > 0.5, 0, -1), probability
    probability = softmax(scores, axis=0) if is_logits else scores
    return probability.argmax(axis=0), probability.max(axis=0)


def _known(column: np.ndarray, manifest: ModelManifest) -> np.ndarray:
    """Classes for columns; -1 for the background, and for labels that mark no class (255)."""
    class_id = column - (manifest.reading.background == "first")
    return np.where((class_id >= 0) & (class_id < len(manifest.classes)), class_id, -1)


def _check(outputs: Outputs, manifest: ModelManifest) -> None:
    grid = _grid(outputs["output"], manifest)
    if not holds_classes(grid):
        check_kind_of_scores(grid, manifest, axis=0)


register_format(
    Format(
        name="semantic",
        task="segmentation",
        roles=("output",),
        check=_check,
        habits={"resize": "stretch", **IMAGENET},
        readings={
            "scores": ("logits", "probabilities"),
            "background": ("none", "first", "last"),
        },
        other_names={"out": "output", "logits": "output"},
    )
)
