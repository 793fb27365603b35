"""Common base of held-out pictures with a class or a label map each."""

from abc import abstractmethod
from collections.abc import Iterator, Mapping

import numpy as np

from robot_vision.models.card import Size
from robot_vision.training.data.caches.picture_cache import PictureCache, spread
from robot_vision.training.engine.task import HeldOut, Predictor


class CachedHeldOut(HeldOut):
    """Pictures of a held-out set at the model's size, and the training pictures."""

    def __init__(self, size: Size, cache: PictureCache) -> None:
        self.size = size
        self._cache = cache

    @abstractmethod
    def _known_cache(self) -> PictureCache:
        """The training pictures, at the same size."""

    @abstractmethod
    def figures(
        self, predict: Predictor, *, pictures: int = 0, intervals: bool = False
    ) -> dict[str, float]:
        """Figures on `pictures` (0: all) spread over the set, beside the trivial baselines.

        With `intervals`, also the bounds of the headline (`metrics/bootstrap.py`).
        """

    def inputs(self, graph: str, count: int) -> Iterator[dict[str, np.ndarray]]:
        """Pictures spread over the set, as the service would feed them."""
        del graph
        return _fed(self._cache, count)

    def calibration(self, graph: str, count: int) -> Iterator[dict[str, np.ndarray]]:
        """Pictures spread over the training set."""
        del graph
        return _fed(self._known_cache(), count)

    def metrics(self, predictors: Mapping[str, Predictor]) -> dict[str, float | str]:
        """All figures, rounded."""
        (predict,) = predictors.values()
        figures = self.figures(predict, intervals=True)
        return {name: round(value, 4) for name, value in figures.items()}


def _fed(cache: PictureCache, count: int) -> Iterator[dict[str, np.ndarray]]:
    return ({"rgb": cache.rgb([row])} for row in spread(len(cache), count))
