"""Crops with their class and a classifier's answer."""

import numpy as np

from robot_vision.export.measuring.picture_bundle import PictureModel, weights_travel
from robot_vision.export.sheets.canvas import BAD, GOOD, Line, Picture, captioned, on_square
from robot_vision.formats.classification import decode_classification
from robot_vision.model_store.store import Bundle
from robot_vision.training.data.caches.crops import CropOptions, open_crops
from robot_vision.training.data.caches.picture_cache import spread
from robot_vision.training.data.labels.names import check_same_classes

_COUNT, _SIDE_PX = 40, 146


def crop_tiles(bundle: Bundle, held_out: str) -> list[Picture]:
    """A tile per crop: the answer with its probability, green if right, else the truth below."""
    names = bundle.manifest.classes
    options = CropOptions.model_validate(weights_travel(bundle).get("crop", {}))
    opened = open_crops(held_out, options)
    check_same_classes(held_out, opened.class_names, names)
    model, tiles = PictureModel(bundle), []
    for row in spread(len(opened.crops), _COUNT):
        crop = opened.crops[row]
        rgb = crop.decode().rgb
        run = model.run(rgb)
        found = decode_classification(run.outputs, run.manifest, stamp_ns=0)
        best = int(np.argmax(found.probability))
        said, is_right = int(found.class_id[best]), found.class_id[best] == crop.class_row
        answer = f"{names[said]} {found.probability[best]:.2f}"
        truth = "" if is_right else f"is {names[crop.class_row]}"
        lines: list[Line] = [(answer, GOOD if is_right else BAD), (truth, BAD)]
        tiles.append(captioned(on_square(rgb, _SIDE_PX), lines))
    return tiles
