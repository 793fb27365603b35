"""Pictures with the class of each pixel: truth and answer."""

import numpy as np

from robot_vision.export.measuring.picture_bundle import PictureModel
from robot_vision.export.measuring.segmentation import rows_of
from robot_vision.export.sheets.canvas import INK, Picture, at_width, beside, captioned, colored
from robot_vision.formats.semantic import decode_semantic
from robot_vision.model_store.store import Bundle
from robot_vision.training.data.caches.picture_cache import spread
from robot_vision.training.data.labels.label_map_set import open_label_maps
from robot_vision.training.data.labels.names import check_same_classes
from robot_vision.training.metrics.segmentation import SegmentationCounts, at_cells

_COUNT, _WIDTH_PX = 12, 198


def label_tiles(bundle: Bundle, held_out: str) -> list[Picture]:
    """A tile per picture: colour, truth and answer side by side, and its mean IoU."""
    names = rows_of(bundle.manifest)
    opened = open_label_maps(held_out)
    check_same_classes(held_out, opened.class_names, names)
    first = len(names) - len(bundle.manifest.classes)
    model, tiles = PictureModel(bundle), []
    for row in spread(len(opened.pictures), _COUNT):
        decoded = opened.pictures[row].decode()
        assert decoded.labels is not None
        run = model.run(decoded.rgb)
        found = decode_semantic(run.outputs, run.manifest, stamp_ns=0, placement=run.placement)
        answer = (found.class_id + first).astype(np.uint8)
        truth = at_cells(decoded.labels, rows=answer.shape[0], columns=answer.shape[1])
        counts = SegmentationCounts(names)
        counts.add(answer, truth)
        rgb = at_width(decoded.rgb, _WIDTH_PX)
        maps = [colored(rgb, labels, first=first) for labels in (decoded.labels, answer)]
        words = f"colour, truth, answer: mIoU {counts.summary()['miou']:.2f}"
        tiles.append(captioned(beside([rgb, *maps]), [(words, INK)]))
    return tiles
