"""Compares where a vision transformer looks with the true masks of a set's objects."""

from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8
from torch import nn

from robot_vision.codecs.bounded import read_image
from robot_vision.training.data.caches.picture_cache import spread
from robot_vision.training.data.labels.labelled import DetectionSet
from robot_vision.training.data.labels.masks import instance_map
from robot_vision.training.data.opening.open_set import open_set
from robot_vision.training.data.samples.samples import read_named
from robot_vision.training.metrics.tiles import captioned, write_tiles
from robot_vision.training.self_supervised.attention import (
    has_attention,
    look,
    otsu_foreground,
    overlap,
)

_MOST_PICTURES = 200
_DRAWN, _TILE = 8, (208, 160)


def measure_attention(
    model: nn.Module, held_out: Path, *, file: Path, images: int
) -> dict[str, float]:
    """Mean IoU of the attended area with all objects of a picture, on up to 200 pictures.

    `attention_iou` is for the mean of the heads, `attention_best_head_iou` for the head that is
    best on these same pictures, `otsu_iou` for Otsu's threshold on the colour distance from the
    border, `everything_iou` for the whole picture. Empty if the encoder has no class token, or
    the set no masks. Draws some pictures with all of them into `file`.
    """
    encoder = getattr(model, "encoder", None)
    if not has_attention(encoder):
        return {}
    opened = open_set(held_out)
    if not isinstance(opened, DetectionSet):
        return {}
    masked = [image for image in opened.images if any(image.segmentation)]
    rows = spread(len(masked), min(images or _MOST_PICTURES, _MOST_PICTURES))
    if not masked:
        return {}
    found, tiles = [], []
    for number, row in enumerate(rows):
        rgb = read_named(masked[row].rgb_file, lambda f: read_image(f, cv2.IMREAD_COLOR_RGB))
        truth, looked = instance_map(masked[row]) > 0, look(encoder, rgb)
        otsu, everything = otsu_foreground(rgb), np.ones_like(truth)
        seen = looked.foreground()
        found.append([overlap(mask, truth) for mask in (*seen, otsu, everything)])
        if number < _DRAWN:
            named = {"attention": seen[-1], "Otsu": otsu, "truth": truth}
            tiles += [_tile(rgb, "picture"), _heat(looked.attention[-1])]
            tiles += [_tile(rgb * mask[..., None], name) for name, mask in named.items()]
    write_tiles(file, tiles, columns=5)
    *heads, mean, by_otsu, by_everything = np.mean(found, axis=0).tolist()
    return {
        "attention_iou": mean,
        "attention_best_head_iou": max(heads),
        "otsu_iou": by_otsu,
        "everything_iou": by_everything,
        "attention_gain": mean - by_otsu,
    }


def _tile(rgb: UInt8[np.ndarray, "h w 3"], name: str) -> UInt8[np.ndarray, "h2 w2 3"]:
    return captioned(cv2.resize(rgb, _TILE), (name,))


def _heat(attention: np.ndarray) -> UInt8[np.ndarray, "h2 w2 3"]:
    share = (255 * attention / attention.max()).astype(np.uint8)
    colors = cv2.cvtColor(cv2.applyColorMap(share, cv2.COLORMAP_VIRIDIS), cv2.COLOR_BGR2RGB)
    return _tile(colors, "attention, mean of heads")
