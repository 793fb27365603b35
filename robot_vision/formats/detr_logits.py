"""DETR-style set predictions as the network gives them (Carion et al. 2020, arXiv:2005.12872).

`logits` [1, N, C] and `boxes` [1, N, 4] as cxcywh in fractions of the input, one box per object,
as Hugging Face and RF-DETR export them. `reading.activation`: sigmoid per class, or softmax over
the classes and one for no object (`background`, which DETR has last). Under sigmoid there may be
a first or last column without a class, as RF-DETR has.
"""

import numpy as np

from robot_vision.core.errors import BundleError
from robot_vision.core.manifests.manifest import ModelManifest
from robot_vision.formats.activations import sigmoid, softmax
from robot_vision.formats.boxes import best_class, checked_boxes, xyxy_from_cxcywh
from robot_vision.formats.check import misfit
from robot_vision.formats.format import Candidates, Detection, Format, Outputs
from robot_vision.formats.habits import IMAGENET
from robot_vision.formats.reading import columns_of_scores, input_size_px, without_background
from robot_vision.formats.registry import register_format


def _decode(outputs: Outputs, manifest: ModelManifest, *, min_score: float) -> Candidates:
    boxes, logits = checked_boxes(outputs, "boxes", manifest), outputs["logits"]
    by_softmax = manifest.reading.activation == "softmax"
    if by_softmax and manifest.reading.background == "none":
        raise BundleError(
            f"bundle {manifest.name!r}: activation 'softmax' needs a column for no object: set "
            "background 'last' (or 'first') in the manifest's reading"
        )
    shape = (1, boxes.shape[1], columns_of_scores(manifest))
    if logits.shape != shape:
        raise misfit(manifest, "logits", logits, str(list(shape)))
    known = logits[0].astype(np.float32, copy=False)
    scores = without_background(softmax(known) if by_softmax else sigmoid(known), manifest)
    box = boxes[0].astype(np.float32, copy=False) * input_size_px(manifest)
    return best_class(scores, xyxy_from_cxcywh(box), min_score)


register_format(
    Format(
        name="detr_logits",
        task="detection",
        roles=("logits", "boxes"),
        detection=Detection(decode=_decode, needs_nms=False),
        habits={"resize": "stretch", **IMAGENET},
        # RF-DETR calls its boxes dets, and its logits labels.
        other_names={"pred_boxes": "boxes", "dets": "boxes", "labels": "logits"},
        readings={
            "background": ("none", "last", "first"),
            "activation": ("sigmoid", "softmax"),
        },
    )
)
