"""The batches of a run: which samples each step sees, in what random view."""

from pathlib import Path

import torch

from robot_vision.training.data.augment import Augmenter
from robot_vision.training.data.coco import load_coco_set
from robot_vision.training.data.samples import Batch, SampleCache
from robot_vision.training.engine.distributed import process_count, rank
from robot_vision.training.engine.old_recipe import Recipe, Resolution


class BatchStream:
    """The training set on the device that trains, in random order and views.

    What a step sees depends on the recipe's seed, the step and the process only, so that a
    resumed run goes on with the samples that an uninterrupted one would have had.
    """

    def __init__(self, recipe: Recipe, device: torch.device) -> None:
        largest = max(recipe.resolutions, key=lambda r: r.width_px)
        cache = SampleCache(
            load_coco_set(Path(recipe.train_set)),
            width_px=largest.width_px,
            height_px=largest.height_px,
            folder=cache_folder(recipe.cache_dir, recipe.train_set),
        )
        self._stack = cache.stacked(device)
        self._augment = Augmenter(recipe.augmentation, cache.source.class_names)
        self._recipe = recipe
        self._pass, self._order = -1, list[int]()

    def batch(self, step: int, size: Resolution) -> Batch:
        """The batch of a step; seeds torch, whose random numbers make it."""
        torch.manual_seed((self._recipe.seed * process_count() + rank()) * 10_000_000 + step)
        rows = torch.tensor([self._row(number) for number in self._numbers(step)])
        return self._augment(self._stack, rows, width_px=size.width_px, height_px=size.height_px)

    def _numbers(self, step: int) -> range:
        """Numbers, over the run, of the samples of this process's share of a step."""
        batch_size = self._recipe.batch_size
        return range(step * batch_size + rank(), (step + 1) * batch_size, process_count())

    def _row(self, number: int) -> int:
        """The row of the run's `number`-th sample: a fresh permutation each pass."""
        passes, position = divmod(number, len(self._stack))
        if self._pass != passes:
            generator = torch.Generator().manual_seed(self._recipe.seed * 100_003 + passes)
            self._order = torch.randperm(len(self._stack), generator=generator).tolist()
            self._pass = passes
        return self._order[position]


def cache_folder(cache_dir: str, set_folder: str) -> Path:
    """Where decoded samples of a set are kept."""
    return Path(cache_dir) / Path(set_folder).name if cache_dir else Path(set_folder) / "cache"
