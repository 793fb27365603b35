"""Common base of the tasks without labels: frames, views, and nearest-neighbour evaluation."""

from abc import abstractmethod
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor, nn

from robot_vision.core.errors import ConfigError
from robot_vision.models.card import Size
from robot_vision.terminal import say
from robot_vision.training.data.samples.batches import Shuffled, seed_step, share_of
from robot_vision.training.engine.answering import answering
from robot_vision.training.engine.recipes.recipe import Recipe
from robot_vision.training.engine.stepping.distributed import rank_0_first
from robot_vision.training.engine.task import HeldOut, Task
from robot_vision.training.self_supervised.collapse import CollapseWatch, spread_of
from robot_vision.training.self_supervised.frames import Frames, open_frames
from robot_vision.training.self_supervised.held_out import FeaturesHeldOut, asked_of_frames
from robot_vision.training.self_supervised.labelled import LabelledPair, open_pair
from robot_vision.training.self_supervised.options import SelfSupervisedOptions
from robot_vision.training.self_supervised.views import cut_views, seen_otherwise

_SAID_EVERY = 1000

# Views of each sample: sizes may differ from view to view.
Views = tuple[UInt8[Tensor, "b _s _s 3"], ...]


class SelfSupervisedTask(Task[Views]):
    """Trains a model that takes `rgb` u8 [b,h,w,3] and returns `features` and `embedding`.

    A subclass has `_views` and a loss. Weights are selected by `knn_top1`; those that the run
    begins from are evaluated first. Raises `CollapsedError` if consecutive evaluations show that
    pictures are no longer distinguished.
    """

    options = SelfSupervisedOptions
    metric = "knn_top1"
    keeps_best = True

    def __init__(self, recipe: Recipe, device: torch.device) -> None:
        super().__init__(recipe, device)
        self._options: Any = recipe.options
        with rank_0_first():
            self._frames = _frames_of(recipe.options)
            if len(self._frames) < 2:
                raise ConfigError(
                    f"options.train_sets = {recipe.options.train_sets}: 1 frame; expected two or "
                    "more: an encoder learns from what differs between them"
                )
            self._labels = _labels_of(recipe.options)
        self._order = Shuffled(len(self._frames), seed=recipe.run.seed)
        self._watch = CollapseWatch(recipe.options.collapse)

    def notes(self) -> tuple[str, ...]:
        judged = self._labels.notes() if self._labels else (
            "no options.labelled_set: nothing shows whether the encoder improves, and the last "
            "weights are kept",
        )  # fmt: skip
        return (f"{len(self._frames)} frames", *self._frames.notes, *judged)

    def modules(self, model: nn.Module) -> dict[str, nn.Module]:
        del model
        return {"collapse": self._watch}

    def batches(self, first_step: int, part: float) -> Generator[Views, None, None]:
        del part
        run = self.recipe.run
        step = first_step
        while True:
            seed_step(run.seed, step)
            share = share_of(step, run.batch_size // run.accumulate)
            yield self._views([self._order.row(number) for number in share])
            step += 1

    @abstractmethod
    def _views(self, rows: list[int]) -> Views:
        """Random views of frames, on the device; torch's generator is seeded."""

    def _view(
        self, rows: list[int], windows: np.ndarray, *, size_px: int, area: tuple[float, float]
    ) -> UInt8[Tensor, "b s s 3"]:
        """One view of each window, changed at random."""
        cut = cut_views(self._frames, rows, windows, size_px=size_px, area=area)
        return seen_otherwise(cut.to(self.device), self._options.views)

    def evaluate_start(self, model: nn.Module) -> dict[str, float]:
        return self._figures(model)

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        figures = self._figures(model)
        self._watch.check(figures)
        return figures

    def _figures(self, model: nn.Module) -> dict[str, float]:
        options = self._options
        with answering(model, self.device) as predict:
            answer = asked_of_frames(predict, self._frames, options.views, options.view_size)
            figures = {"spread": spread_of(answer["embedding"]), **self._said(answer)}
            if self._labels:
                figures["knn_top1"] = self._labels.knn_top1(predict)
        return figures

    def _said(self, answer: Mapping[str, np.ndarray]) -> dict[str, float]:
        """Further figures of the model's outputs for frames, by role."""
        del answer
        return {}

    def travels(self) -> dict[str, Any]:
        """How labelled pictures were cropped, so that `evaluate` crops them alike."""
        return {"crop": self._options.crop.model_dump()}

    @classmethod
    def resized(cls, recipe: Recipe, size: Size) -> Recipe:
        served = {"served_width_px": size.width_px, "served_height_px": size.height_px}
        return recipe.model_copy(update={"options": recipe.options.model_copy(update=served)})

    @classmethod
    def held_out(cls, recipe: Recipe, travels: Mapping[str, Any], data: Path | None) -> HeldOut:
        del travels
        options: SelfSupervisedOptions = recipe.options
        if data and not options.labelled_set:
            raise ConfigError(
                f"--data {data}: the recipe has no options.labelled_set to compare its pictures "
                "with; omit it, or measure the bundle with `robot-vision evaluate`"
            )
        return FeaturesHeldOut(options, _frames_of(options), data)


def _frames_of(options: SelfSupervisedOptions) -> Frames:
    return open_frames(
        options.train_sets,
        options.frame_size,
        every=options.every,
        most_frames=options.most_frames,
        topics=options.topics,
        cache_dir=options.cache_dir,
        on_progress=_say_decoded,
    )


def _say_decoded(done: int, frames: int) -> None:
    if done % _SAID_EVERY == 0:
        say(f"decoded {done} of {frames} frames")


def _labels_of(options: SelfSupervisedOptions) -> LabelledPair | None:
    if not options.labelled_set:
        return None
    return open_pair(
        options.labelled_set,
        options.labelled_val_set,
        crop=options.crop,
        size=options.view_size,
        cache_dir=options.cache_dir,
        most=(options.labelled_pictures, options.evaluation_images),
    )
