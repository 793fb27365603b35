"""Imitation: a policy learns from episodes what an expert does, given words and a scene."""

from collections.abc import Generator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from robot_vision.core.errors import ConfigError
from robot_vision.core.parameters.params import Params, param
from robot_vision.models.loss import Loss
from robot_vision.models.policies.pointer import Policy
from robot_vision.policies.observing.tokens import (
    GEOMETRY_WIDTH,
    MAX_OBJECTS,
    OBJECT_SLICES,
    OBJECT_WIDTH,
    VISUAL_COLUMNS,
    VISUAL_ROWS,
    VISUAL_WIDTH,
)
from robot_vision.rollouts.episode_files import common_description, common_vocabulary, load_set
from robot_vision.training.data.caches.ahead import made_ahead
from robot_vision.training.data.held_out.policy import PolicyHeldOut
from robot_vision.training.data.policy_batches import (
    Changes,
    Dropout,
    Noises,
    PolicyBatch,
    make_batch,
)
from robot_vision.training.data.policy_statistics import action_statistics, standardise
from robot_vision.training.data.words.initial_words import with_words
from robot_vision.training.engine.recipes.recipe import Recipe
from robot_vision.training.engine.stepping.distributed import process_count, rank
from robot_vision.training.engine.task import TASKS, HeldOut, Task
from robot_vision.training.losses.policy import mean_figures, policy_figures, policy_loss

_VAL_BATCH = 256


class PolicyOptions(Params):
    """The episodes that a policy learns from, and their random changes."""

    train_sets: list[str] = param([], "folders of episodes")
    val_sets: list[str] = param([], "folders of held-out episodes; empty: none are evaluated")
    loaders: int = param(1, "threads that make batches", ge=1, le=256)
    val_samples: int = param(4000, "held-out samples of an evaluation", ge=1)
    hold_weight: float = param(1.0, "how often samples with the answer hold are drawn", ge=0)
    noises: Noises = Noises()
    dropout: Dropout = Dropout()


@TASKS.register("policy")
class PolicyTask(Task[PolicyBatch]):
    """Trains a policy to imitate the expert. The last weights are shipped."""

    options = PolicyOptions

    def __init__(self, recipe: Recipe, device: torch.device) -> None:
        super().__init__(recipe, device)
        options: PolicyOptions = recipe.options
        if not options.train_sets:
            raise ConfigError("options.train_sets is empty: expected folders of episodes")
        self._options = options
        self._shown = common_description(options.train_sets)
        self._vocabulary = common_vocabulary(options.train_sets)
        self._source = load_set(options.train_sets, self._vocabulary)
        val_sets = options.val_sets
        self._held_out = load_set(val_sets, self._vocabulary) if val_sets else None
        self._statistics = action_statistics(self._source)
        weight = np.where(self._source.moves, 1.0, options.hold_weight)
        self._draw_share = weight / weight.sum()

    def spec_values(self) -> dict[str, Any]:
        """Network sizes for the tokens of `policies.observation`."""
        return {
            "words": len(self._vocabulary.words),
            "max_words": self._vocabulary.max_words,
            "max_objects": MAX_OBJECTS,
            "object_width": OBJECT_WIDTH,
            "geometry_width": GEOMETRY_WIDTH,
            "centre_from_tool_at": OBJECT_SLICES["centre_from_tool"].start,
            "visual_cells": VISUAL_ROWS * VISUAL_COLUMNS,
            "visual_width": VISUAL_WIDTH,
            "robot_width": self._source.robot.shape[1],
            "horizon": self._source.action.shape[1],
        }

    def prepare(self, model: nn.Module) -> None:
        assert isinstance(model, Policy)
        standardise(model.network, self._source)

    def initial_weights(
        self, tensors: dict[str, Tensor], travels: Mapping[str, Any]
    ) -> dict[str, Tensor]:
        """All of them; words keep the rows that they had."""
        return with_words(tensors, travels, self._vocabulary)

    def batches(self, first_step: int, part: float) -> Generator[PolicyBatch, None, None]:
        """Made ahead by threads; each batch depends only on its step."""
        del part
        with closing(
            made_ahead(self._batch, first_step, loaders=self._options.loaders)
        ) as batches:
            for batch in batches:
                yield batch.to(self.device)

    def _batch(self, step: int) -> PolicyBatch:
        run, options = self.recipe.run, self._options
        rng = np.random.default_rng((run.seed, step, rank()))
        count = run.share(process_count())
        rows = rng.choice(len(self._source), count, p=self._draw_share)
        changes = Changes(noises=options.noises, dropout=options.dropout)
        return make_batch(
            self._source, rows, statistics=self._statistics, rng=rng, changes=changes
        )

    def answer(self, model: nn.Module, batch: PolicyBatch) -> dict[str, Tensor]:
        """The network's answer, with its action head given the true target."""
        out = model(
            batch.tokens,
            batch.objects,
            batch.present,
            batch.visual,
            batch.has_visual,
            batch.robot,
            pointable=batch.pointers,
        )
        return {name: tensor.float() for name, tensor in out.items()}

    def loss(self, answer: dict[str, Tensor], batch: PolicyBatch) -> Loss:
        total, parts = policy_loss(answer, batch)
        return total, {name: part.detach() for name, part in parts.items()}

    @torch.no_grad()
    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Figures on held-out samples, evenly spread over the sets."""
        if self._held_out is None:
            return {}
        model.eval()
        count = min(self._options.val_samples, len(self._held_out))
        rows = np.linspace(0, len(self._held_out) - 1, count).astype(int)
        rng = np.random.default_rng(self.recipe.run.seed)
        sums: dict[str, float] = {}
        for start in range(0, count, _VAL_BATCH):
            chosen = rows[start : start + _VAL_BATCH]
            batch = make_batch(self._held_out, chosen, statistics=self._statistics, rng=rng)
            batch = batch.to(self.device)
            for name, value in policy_figures(self.answer(model, batch), batch).items():
                sums[name] = sums.get(name, 0.0) + float(value)
        return mean_figures(sums)

    def travels(self) -> dict[str, Any]:
        return {
            "vocabulary": self._vocabulary.model_dump(mode="json"),
            "statistics": self._statistics.model_dump(mode="json"),
            "shown": self._shown.model_dump(mode="json"),
        }

    @classmethod
    def held_out(cls, recipe: Recipe, travels: Mapping[str, Any], data: Path | None) -> HeldOut:
        options: PolicyOptions = recipe.options
        folders = [str(data)] if data else options.val_sets or options.train_sets
        return PolicyHeldOut(
            recipe, travels, folders=folders, is_held_out=bool(data or options.val_sets)
        )
