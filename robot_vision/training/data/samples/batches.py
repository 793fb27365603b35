"""The batches of a run: the samples of each step, in random views."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import torch
from pydantic import ValidationError

from robot_vision.core.errors import ConfigError
from robot_vision.core.parameters.params import Params, param
from robot_vision.models.card import Size
from robot_vision.training.data.samples.augment import Augmenter
from robot_vision.training.data.samples.samples import Batch, SampleStack
from robot_vision.training.engine.recipes.recipe import Recipe
from robot_vision.training.engine.stepping.distributed import process_count, rank


class Resolution(Params):
    """The training size up to a part of the run: crops of the view first, all of it at the end."""

    until: float = param(1.0, "part of the run at which this size ends", gt=0, le=1)
    width_px: int = param(416, "width", unit="px", ge=64, le=2048, multiple_of=32)
    height_px: int = param(320, "height", unit="px", ge=64, le=2048, multiple_of=32)


@runtime_checkable
class Stackable(Protocol):
    """Samples that are available all at once, on a device."""

    def stacked(self, device: torch.device) -> SampleStack: ...


class BatchStream:
    """The training set on the training device, in random order and views.

    The samples of a step depend only on seed, step and process, so that a resumed run
    continues with the samples of an uninterrupted one.
    """

    def __init__(
        self, cache: Stackable, augment: Augmenter, *, seed: int, device: torch.device
    ) -> None:
        self._stack = cache.stacked(device)
        self._augment, self._seed = augment, seed
        self._order = Shuffled(len(self._stack), seed=seed)

    def batch(self, step: int, size: Resolution, *, batch_size: int) -> Batch:
        """This process's share of a step of `batch_size` samples of all processes together.

        Seeds torch, whose random numbers make it.
        """
        seed_step(self._seed, step)
        rows = torch.tensor(self.rows(step, batch_size=batch_size))
        return self._augment(self._stack, rows, width_px=size.width_px, height_px=size.height_px)

    def rows(self, step: int, *, batch_size: int) -> list[int]:
        """The samples in this process's share of a step."""
        return [self._order.row(number) for number in share_of(step, batch_size)]


def seed_step(seed: int, step: int) -> None:
    """Seed torch for everything that this process draws in this step."""
    torch.manual_seed((seed * process_count() + rank()) * 10_000_000 + step)


class Shuffled:
    """The order in which a run sees the rows of a set: a fresh permutation each pass."""

    def __init__(self, count: int, *, seed: int) -> None:
        self._count, self._seed = count, seed
        self._pass, self._order = -1, list[int]()

    def row(self, number: int) -> int:
        """The row of the run's `number`-th sample."""
        passes, position = divmod(number, self._count)
        if self._pass != passes:
            generator = torch.Generator().manual_seed(self._seed * 100_003 + passes)
            self._order = torch.randperm(self._count, generator=generator).tolist()
            self._pass = passes
        return self._order[position]


def share_of(step: int, batch_size: int) -> range:
    """Numbers of this process's samples of a step of `batch_size` of all processes together."""
    return range(step * batch_size + rank(), (step + 1) * batch_size, process_count())


def at_one_size(recipe: Recipe, size: Size) -> Recipe:
    """The recipe with this one picture size; raises `ConfigError` if the size is invalid."""
    try:
        resolution = Resolution(width_px=size.width_px, height_px=size.height_px)
    except ValidationError as error:
        raise ConfigError(
            f"size {size.width_px}x{size.height_px}: expected sides of 64 to 2048 px that are "
            "multiples of 32"
        ) from error
    options = recipe.options.model_copy(update={"resolutions": [resolution]})
    return recipe.model_copy(update={"options": options})


def resolution_at(resolutions: Sequence[Resolution], part: float) -> Resolution:
    """The training size at a part of the run."""
    return next((r for r in resolutions if part < r.until), resolutions[-1])


def largest_of(resolutions: Sequence[Resolution]) -> Size:
    """The size at which samples are kept: the largest training size."""
    width_px, height_px = max((r.width_px, r.height_px) for r in resolutions)
    return Size(width_px=width_px, height_px=height_px)
