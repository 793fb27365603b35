"""Pictures with their objects, and a model's slots over time."""

import numpy as np

from robot_vision.core.errors import BundleError
from robot_vision.export.parity import onnx_predictor
from robot_vision.export.sheets.canvas import INK, Picture, at_width, beside, captioned, colored
from robot_vision.model_store.store import Bundle
from robot_vision.models.card import Size
from robot_vision.training.data.caches.picture_cache import spread
from robot_vision.training.data.held_out.rgbd_temporal import RgbdTemporalHeldOut
from robot_vision.training.data.samples.sequences import Drift

_COUNT, _WIDTH_PX = 8, 239


def slot_tiles(bundle: Bundle, held_out: str) -> list[Picture]:
    """A tile per picture: colour, true objects, slots in the first frame, in the third, and in the
    first without depth, each with its adjusted Rand index."""
    image = bundle.manifest.input
    if not image.carried:
        raise BundleError(f"bundle {bundle.manifest.name!r} carries no slots from frame to frame")
    slots, width = image.carried[0].shape
    pictures = RgbdTemporalHeldOut(
        folder=held_out,
        train_folder="",
        size=Size(width_px=image.width_px, height_px=image.height_px),
        memory=(slots, width),
        drift=Drift(),
        cache_dir="",
    )
    predict = onnx_predictor(bundle.model_path, bundle.manifest.outputs)
    tiles = []
    rows = pictures.of_several_things(0)
    for row in (rows[place] for place in spread(len(rows), _COUNT)):
        seen = pictures.seen(row, predict)
        rgb, later = at_width(seen.rgb[0], _WIDTH_PX), at_width(seen.rgb[2], _WIDTH_PX)
        views = (
            (rgb, seen.truth[0].astype(np.uint8), 1, "true objects"),
            (rgb, seen.first.astype(np.uint8), 0, f"first frame {seen.ari_first:.2f}"),
            (later, seen.third.astype(np.uint8), 0, f"third frame {seen.ari_third:.2f}"),
            (rgb, seen.blind.astype(np.uint8), 0, f"without depth {seen.ari_blind:.2f}"),
        )
        shown = [captioned(rgb, [("colour", INK)])]
        for picture, labels, first, words in views:
            shown.append(captioned(colored(picture, labels, first=first), [(words, INK)]))
        tiles.append(beside(shown))
    return tiles
