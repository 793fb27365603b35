"""Baselines for segmentation: the commonest class, overall or by place or colour."""

from collections.abc import Iterable, Mapping

import numpy as np
from jaxtyping import Float, Int64, UInt8

from robot_vision.training.data.labels.labelled import IGNORED

_COLOR_LEVELS = 16

_Labels = UInt8[np.ndarray, "h w"]
_Rgb = UInt8[np.ndarray, "h w 3"]


class TrivialLabelMaps:
    """Fitted to training pictures and their label maps, all of one size."""

    def __init__(self, pairs: Iterable[tuple[_Rgb, _Labels]], classes: int) -> None:
        by_color = np.zeros((_COLOR_LEVELS**3, classes), np.int64)
        by_place: Int64[np.ndarray, "h w c"] | None = None
        for rgb, labels in pairs:
            if by_place is None:
                by_place = np.zeros((*labels.shape, classes), np.int64)
            known = labels != IGNORED
            np.add.at(by_color, (_colors(rgb)[known], labels[known]), 1)
            rows, columns = np.nonzero(known)
            np.add.at(by_place, (rows, columns, labels[known]), 1)
        assert by_place is not None
        self.counts = by_color.sum(axis=0)
        self._commonest = int(self.counts.argmax())
        self._of_color = _commonest(by_color, otherwise=self._commonest)
        self._of_place = _commonest(by_place, otherwise=self._commonest)

    def answers(self, rgb: _Rgb) -> Mapping[str, _Labels]:
        """A label map by each."""
        everywhere = np.full(rgb.shape[:2], self._commonest, np.uint8)
        return {
            "majority": everywhere,
            "mean_shape": self._of_place,
            "color_histogram": self._of_color[_colors(rgb)],
        }


def _colors(rgb: _Rgb) -> Int64[np.ndarray, "h w"]:
    levels = (rgb // (256 // _COLOR_LEVELS)).astype(np.int64)
    return (levels[..., 0] * _COLOR_LEVELS + levels[..., 1]) * _COLOR_LEVELS + levels[..., 2]


def _commonest(counts: Float[np.ndarray, "*n c"] | Int64[np.ndarray, "*n c"], *, otherwise: int):
    found = counts.argmax(axis=-1)
    return np.where(counts.sum(axis=-1) > 0, found, otherwise).astype(np.uint8)
