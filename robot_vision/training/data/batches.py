"""The batches of a run: which samples each step sees, in what random view."""

from collections.abc import Sequence
from pathlib import Path

import torch

from robot_vision.core.params import Params, param
from robot_vision.training.data.augment import Augmenter
from robot_vision.training.data.open_set import set_and_split
from robot_vision.training.data.samples import Batch, SampleCache
from robot_vision.training.engine.distributed import process_count, rank


class Resolution(Params):
    """Training size up to a part of the run: crops of the view first, all of it at the end."""

    until: float = param(1.0, "part of the run at which this size ends", gt=0, le=1)
    width_px: int = param(416, "width", unit="px", ge=64, le=2048, multiple_of=32)
    height_px: int = param(320, "height", unit="px", ge=64, le=2048, multiple_of=32)


class BatchStream:
    """The training set on the device that trains, in random order and views.

    What a step sees depends on the seed, the step and the process only, so that a resumed run
    goes on with the samples that an uninterrupted one would have had.
    """

    def __init__(
        self, cache: SampleCache, augment: Augmenter, *, seed: int, device: torch.device
    ) -> None:
        self._stack = cache.stacked(device)
        self._augment, self._seed = augment, seed
        self._pass, self._order = -1, list[int]()

    def batch(self, step: int, size: Resolution, *, batch_size: int) -> Batch:
        """This process's share of a step of `batch_size` samples of all processes together.

        Seeds torch, whose random numbers make it.
        """
        torch.manual_seed((self._seed * process_count() + rank()) * 10_000_000 + step)
        numbers = range(step * batch_size + rank(), (step + 1) * batch_size, process_count())
        rows = torch.tensor([self._row(number) for number in numbers])
        return self._augment(self._stack, rows, width_px=size.width_px, height_px=size.height_px)

    def _row(self, number: int) -> int:
        """The row of the run's `number`-th sample: a fresh permutation each pass."""
        passes, position = divmod(number, len(self._stack))
        if self._pass != passes:
            generator = torch.Generator().manual_seed(self._seed * 100_003 + passes)
            self._order = torch.randperm(len(self._stack), generator=generator).tolist()
            self._pass = passes
        return self._order[position]


def resolution_at(resolutions: Sequence[Resolution], part: float) -> Resolution:
    """The training size at a part of the run."""
    return next((r for r in resolutions if part < r.until), resolutions[-1])


def cache_folder(cache_dir: str, set_folder: str) -> Path:
    """Where decoded samples of a set are kept."""
    root, _ = set_and_split(set_folder)
    return Path(cache_dir) / root.name if cache_dir else root / "cache"
