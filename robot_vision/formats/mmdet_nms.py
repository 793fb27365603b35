"""OpenMMLab's detectors (RTMDet and others) as MMDeploy exports them, suppression in the graph.

`dets` [1, N, 5] as corners in input pixels and a score, `labels` [1, N].
"""

from robot_vision.core.manifests.manifest import ModelManifest
from robot_vision.formats.check import misfit
from robot_vision.formats.format import Candidates, Detection, Format, Outputs
from robot_vision.formats.habits import IMAGENET_BGR
from robot_vision.formats.labelled import check_labels, chosen
from robot_vision.formats.registry import register_format


def _decode(outputs: Outputs, manifest: ModelManifest, *, min_score: float) -> Candidates:
    dets, labels = outputs["dets"], outputs["labels"]
    if dets.ndim != 3 or dets.shape[0] != 1 or dets.shape[2] != 5:
        raise misfit(manifest, "dets", dets, "[1, N, 5]")
    if labels.shape != dets.shape[:2]:
        raise misfit(manifest, "labels", labels, str(list(dets.shape[:2])))
    return chosen(dets[0, :, :4], labels[0], dets[0, :, 4], manifest, min_score=min_score)


register_format(
    Format(
        name="mmdet_nms",
        task="detection",
        roles=("dets", "labels"),
        detection=Detection(decode=_decode, needs_nms=False),
        check=check_labels,
        habits={"resize": "letterbox_topleft", **IMAGENET_BGR},
    )
)
