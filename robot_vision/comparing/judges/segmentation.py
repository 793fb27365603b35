"""Segmentation: mean IoU over classes, and each picture's own."""

import numpy as np

from robot_vision.comparing.judge import Case, Judge, Side, register_judge
from robot_vision.export.measuring.picture_bundle import PictureModel
from robot_vision.export.measuring.segmentation import (
    judge_picture,
    rows_of,
    truth_beside_answer,
)
from robot_vision.model_store.store import Bundle
from robot_vision.training.data.caches.picture_cache import spread
from robot_vision.training.data.labels.label_map_set import open_label_maps
from robot_vision.training.data.labels.names import check_same_classes
from robot_vision.training.metrics.segmentation import SegmentationCounts


def judge(bundle: Bundle, case: Case) -> Side:
    names, held_out = rows_of(bundle.manifest), str(case.held_out)
    opened = open_label_maps(held_out)
    check_same_classes(held_out, opened.class_names, names)
    model, total = PictureModel(bundle), SegmentationCounts(names)
    rows = spread(len(opened.pictures), case.images)
    judged = [judge_picture(model, opened.pictures[row], names) for row in rows]
    for one in judged:
        total.add(one.answer, one.truth)
    return Side(
        figures={"miou": total.summary()["miou"]},
        resampled=total.resampled(),
        pictures=len(rows),
        names=tuple(f"picture {row}" for row in rows),
        scores=np.array([one.miou for one in judged]),
        drawn=lambda row: truth_beside_answer(judged[row], names),
    )


register_judge(Judge(tasks=("segmentation",), about="the class of each pixel", judge=judge))
