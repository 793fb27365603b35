"""Picture classifiers: top-1, and the probability given to each picture's true class."""

import numpy as np

from robot_vision.comparing.judge import Case, Judge, Side, register_judge
from robot_vision.export.measuring.classifier import captioned_crop, probabilities_of
from robot_vision.export.measuring.picture_bundle import PictureModel, weights_travel
from robot_vision.model_store.store import Bundle
from robot_vision.training.data.caches.crops import CropOptions, open_crops, picture_rows
from robot_vision.training.data.caches.picture_cache import spread
from robot_vision.training.data.labels.names import check_same_classes
from robot_vision.training.metrics.classification import resampled_top1


def judge(bundle: Bundle, case: Case) -> Side:
    """Crops are those that the first bundle was trained on; all bundles get the same."""
    names, held_out = bundle.manifest.classes, str(case.held_out)
    options = CropOptions.model_validate(weights_travel(case.first).get("crop", {}))
    opened = open_crops(held_out, options)
    check_same_classes(held_out, opened.class_names, names)
    crops = [opened.crops[row] for row in spread(len(opened.crops), case.images)]
    probability = probabilities_of(PictureModel(bundle), crops)
    class_id = np.array([crop.class_row for crop in crops])
    pictures = picture_rows(crops)
    own = probability[np.arange(len(crops)), class_id]
    return Side(
        figures={"top1": float((probability.argmax(axis=1) == class_id).mean())},
        resampled=resampled_top1(probability, class_id, pictures),
        pictures=len(np.unique(pictures)),
        names=tuple(crop.name for crop in crops),
        scores=own.astype(np.float64),
        drawn=lambda row: captioned_crop(crops[row], probability[row], names),
    )


register_judge(
    Judge(tasks=("classification",), about="the class of a picture or a crop", judge=judge)
)
