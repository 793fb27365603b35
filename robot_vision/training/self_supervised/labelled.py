"""A few labelled pictures for judging an encoder that learnt without labels."""

from collections.abc import Iterator, Sequence
from hashlib import blake2b

import numpy as np
from jaxtyping import Float32, Int64, UInt8

from robot_vision.models.card import Size
from robot_vision.training.data.caches.crops import CropOptions, open_crops
from robot_vision.training.data.caches.picture_cache import PictureCache, spread
from robot_vision.training.data.labels.names import check_same_classes
from robot_vision.training.engine.task import Predictor
from robot_vision.training.metrics.trivial_classifiers import TrivialClassifiers, looks
from robot_vision.training.self_supervised.probes import knn_classes, linear_classes

_BATCH = 64

_Embeddings = Float32[np.ndarray, "n d"]


class Labelled:
    """Pictures, or crops around objects, of one class each, decoded once at one size.

    `most` of them (0: all) evenly spread over the set. Raises `ConfigError` as `open_crops` does.
    """

    def __init__(
        self, folder: str, *, crop: CropOptions, size: Size, cache_dir: str, most: int
    ) -> None:
        opened = open_crops(folder, crop)
        kept = opened.of(spread(len(opened.crops), most))
        self.folder, self.class_names = folder, opened.class_names
        self.class_row = np.array([crop.class_row for crop in kept.crops], np.int64)
        self.cache = PictureCache(kept.crops, size, source=folder, cache_dir=cache_dir)

    def batches(self) -> Iterator[UInt8[np.ndarray, "b h w 3"]]:
        """All of them, in order."""
        for start in range(0, len(self.cache), _BATCH):
            yield self.cache.rgb(range(start, min(start + _BATCH, len(self.cache))))

    def embeddings(self, predict: Predictor) -> _Embeddings:
        """The result of `predict` for each."""
        found = [predict({"rgb": rgb})["embedding"] for rgb in self.batches()]
        return np.concatenate(found).astype(np.float32)

    def digests(self) -> list[bytes]:
        """Of the pixels of each: equal for equal pictures."""
        return [
            blake2b(rgb.tobytes(), digest_size=16).digest()
            for batch in self.batches()
            for rgb in batch
        ]

    def looks(self) -> _Embeddings:
        """Features without an encoder: thumbnails and colours."""
        return np.concatenate([looks(rgb) for rgb in self.batches()])


class LabelledPair:
    """Known pictures, and query pictures; raises `ConfigError` if their classes
    differ."""

    def __init__(self, known: Labelled, asked: Labelled) -> None:
        check_same_classes(asked.folder, asked.class_names, known.class_names)
        self.known, self.asked = known, asked

    def notes(self) -> tuple[str, ...]:
        """Says if query pictures are known: they find themselves, whatever the encoder."""
        known = set(self.known.digests())
        shared = sum(digest in known for digest in self.asked.digests())
        if not shared:
            return ()
        return (
            f"{shared} of {len(self.asked.cache)} pictures of {self.asked.folder} are also in "
            f"{self.known.folder}, where they find themselves: knn_top1 and linear_top1 are too "
            "high; expected sets without common pictures",
        )

    def knn_top1(self, predict: Predictor) -> float:
        """Share of the queries whose class the nearest known ones predict."""
        known, asked = self.known.embeddings(predict), self.asked.embeddings(predict)
        return self._right(knn_classes(known, self.known.class_row, asked, classes=self._classes))

    def probes(self, predict: Predictor) -> dict[str, float]:
        """`knn_top1` and, by a linear layer fitted to the known ones, `linear_top1`."""
        known, asked = self.known.embeddings(predict), self.asked.embeddings(predict)
        of = (known, self.known.class_row, asked)
        return {
            "knn_top1": self._right(knn_classes(*of, classes=self._classes)),
            "linear_top1": self._right(linear_classes(*of, classes=self._classes)),
        }

    def trivial(self) -> dict[str, float]:
        """Baselines without an encoder, fitted to the same known pictures."""
        fitted = TrivialClassifiers(self.known.looks(), self.known.class_row, self._classes)
        return fitted.top1(self.asked.looks(), self.asked.class_row)

    @property
    def _classes(self) -> int:
        return len(self.known.class_names)

    def _right(self, found: Int64[np.ndarray, " n"]) -> float:
        return float((found == self.asked.class_row).mean())


def open_pair(
    known: str, asked: str, *, crop: CropOptions, size: Size, cache_dir: str, most: Sequence[int]
) -> LabelledPair:
    """Both sets, with at most this many pictures each (0: all)."""
    return LabelledPair(
        *(
            Labelled(folder, crop=crop, size=size, cache_dir=cache_dir, most=count)
            for folder, count in zip((known, asked), most, strict=True)
        )
    )
