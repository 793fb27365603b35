"""Imitation from pixels: a policy learns from demonstrations of any arm."""

from collections.abc import Generator, Mapping
from contextlib import closing
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from robot_vision.models.loss import Loss
from robot_vision.models.policies.chunks import ChunkPolicy
from robot_vision.models.policies.pixels import PixelPolicy
from robot_vision.training.data.caches.ahead import made_ahead
from robot_vision.training.data.demonstrations.batches import BatchMaker, DemonstrationBatch
from robot_vision.training.data.demonstrations.keyframes import (
    KeyframeHead,
    pointing_error,
    ways_to_keyframes,
)
from robot_vision.training.data.demonstrations.maps import cached_maps, check_frozen, check_parts
from robot_vision.training.data.demonstrations.options import DemonstrationOptions
from robot_vision.training.data.demonstrations.poses import camera_poses
from robot_vision.training.data.demonstrations.sentences import loaded_sentences, spoken_of
from robot_vision.training.data.demonstrations.sets import (
    Episodes,
    check_options,
    learnt_and_held_out,
)
from robot_vision.training.data.demonstrations.words import (
    Spoken,
    check_same_sentences,
)
from robot_vision.training.data.judging.decisions import decisions_of
from robot_vision.training.data.judging.held_out import DemonstrationHeldOut
from robot_vision.training.data.judging.judged import Judged, judged_by
from robot_vision.training.data.judging.travels import check_fits, read_travels, travels_of
from robot_vision.training.data.words.initial_words import with_words
from robot_vision.training.demonstrations.statistics import state_statistics, track_statistics
from robot_vision.training.engine.answering import answering
from robot_vision.training.engine.recipes.recipe import Recipe
from robot_vision.training.engine.stepping.distributed import process_count, rank, rank_0_first
from robot_vision.training.engine.task import TASKS, HeldOut, Task
from robot_vision.training.metrics.action_error import ErrorScale, action_figures

_TOGETHER = 16


@TASKS.register("demonstrations")
class DemonstrationsTask(Task[DemonstrationBatch]):
    """Trains a `ChunkPolicy` on chunks of actions. Weights are selected by `skill`."""

    options = DemonstrationOptions
    metric = "skill"

    def __init__(self, recipe: Recipe, device: torch.device) -> None:
        """Raises `ConfigError` if sets, meaning, observation or words do not fit."""
        super().__init__(recipe, device)
        self._options: DemonstrationOptions = recipe.options
        check_parts(recipe)
        check_frozen(recipe)
        check_options(self._options)
        with rank_0_first():
            self._sentences = loaded_sentences(self._options)
            self._learnt, self._held_out = learnt_and_held_out(self._options)
        sentences = self._sentences.travelling if self._sentences is not None else None
        poses, self._unplaced = {}, ()
        if self._options.camera_poses:
            poses, self._unplaced = camera_poses(self._learnt)
        self._travels = travels_of(self._learnt, self._options, sentences, poses)
        held_out = self._held_out
        if held_out is not None:
            check_fits(self._travels, held_out.source)
        with rank_0_first():
            self._spoken = self._said_in(self._learnt)
            self._spoken_held_out = None if held_out is None else self._said_in(held_out)
        self._rows = self._learnt.rows
        self._model: nn.Module | None = None  # until `modules` has it
        self._maker: BatchMaker | None = None
        self._keyframe: KeyframeHead | None = None

    def spec_values(self) -> dict[str, Any]:
        return self._travels.spec_values()

    def notes(self) -> tuple[str, ...]:
        counts = f"{len(self._learnt.numbers)} episodes, {len(self._rows)} steps to learn from"
        held_out = "none held out: no metric selects weights"
        if self._held_out is not None:
            held_out = f"{len(self._held_out.numbers)} held out"
        unknown = () if self._spoken is None else self._spoken.unknown_words
        unheard = f"words without a token, refused in service: {', '.join(unknown)}"
        notes = (unheard,) if unknown else ()
        silent = sum(not any(wordings) for wordings in self._learnt.instructions)
        if silent and self._spoken is not None:
            notes += (f"{silent} episodes have no instruction: they are shown without words",)
        return (f"{counts}; {held_out}", *notes, *self._unplaced, *self._learnt.source.notes)

    def prepare(self, model: nn.Module) -> None:
        """Set the normalisation of state and tracks, the gripper's scale, and given weights."""
        assert isinstance(model, ChunkPolicy)
        model.load_pretrained()
        if self._travels.observation.state != "none":
            mean, scale = state_statistics(self._learnt.numbers_alone())
            model.set_normal("state", torch.from_numpy(mean), torch.from_numpy(scale))
        said = self._learnt.source.perceived
        if said is not None and said.tracks is not None and said.tracks_seen is not None:
            rows = self._learnt.rows
            seen = np.asarray(said.tracks[rows])[np.asarray(said.tracks_seen[rows])]
            mean, scale = track_statistics(seen)
            model.set_normal("tracks", torch.from_numpy(mean), torch.from_numpy(scale))
        statistics = self._travels.statistics
        closed, opened = ((end - statistics.mean[-1]) / statistics.scale[-1] for end in (0, 1))
        model.set_gripper(closed, opened)

    def initial_weights(
        self, tensors: dict[str, Tensor], travels: Mapping[str, Any]
    ) -> dict[str, Tensor]:
        """All of them, words by name; raises `ConfigError` for another encoder of sentences."""
        tensors = with_words(tensors, travels, self._travels.vocabulary)
        if self._travels.sentences is not None:
            check_same_sentences(travels, self._travels.sentences.sha256)
        return tensors

    def modules(self, model: nn.Module) -> dict[str, nn.Module]:
        """The module that learns keyframes, if used.

        The model is kept: its fusion may have a memory, its encoder fills the cache.

        The cache is filled here, before the run's time is counted.
        """
        assert isinstance(model, ChunkPolicy)
        self._model = model
        self._maker = self._batch_maker()
        if self._options.keyframe_weight == 0:
            return {}
        self._keyframe = KeyframeHead(model.spec.width)
        return {"keyframe": self._keyframe}

    def batches(self, first_step: int, part: float) -> Generator[DemonstrationBatch, None, None]:
        """Made ahead by threads; each batch depends only on its step."""
        del part
        maker = self._maker
        assert maker is not None, "`modules` comes first"

        def make(step: int) -> DemonstrationBatch:
            run = self.recipe.run
            rng = np.random.default_rng((run.seed, step, rank()))
            return maker.batch(rng.choice(self._rows, run.share(process_count())), rng)

        with closing(made_ahead(make, first_step, loaders=self._options.loaders)) as batches:
            for batch in batches:
                yield batch.to(self.device)

    def _batch_maker(self) -> BatchMaker:
        assert isinstance(self._model, ChunkPolicy)
        with rank_0_first():
            judged = self._judged(self._learnt, self._spoken)
        count = self._options.moments.count_for(has_memory=bool(self._model.fusion.carried_shapes))
        return BatchMaker(
            scenes=judged.scenes,
            statistics=judged.statistics,
            spoken=judged.spoken,
            after_s=tuple(judged.period_s * k for k in range(count)),
            dropout=self._options.dropout,
            pictures=self._options.pictures,
            keyframe_m=(
                ways_to_keyframes(self._learnt.source) if self._options.keyframe_weight else None
            ),
        )

    def _said_in(self, episodes: Episodes) -> Spoken | None:
        encoder = self._sentences.encoder if self._sentences is not None else None
        instructions, cache_dir = episodes.source.instructions, self._options.cache_dir
        return spoken_of(instructions, self._travels, encoder, cache_dir=cache_dir)

    def _judged(self, episodes: Episodes, spoken: Spoken | None) -> Judged:
        options, maps = self._options, dict[str, tuple[np.ndarray, ...]]()
        if options.cache_features:
            assert isinstance(self._model, PixelPolicy)
            maps = cached_maps(
                episodes.source, self._model, cache_dir=options.cache_dir, device=self.device
            )
        return judged_by(
            episodes,
            self._travels,
            period_s=options.moments.period_s,
            spoken=spoken,
            maps=maps,
        )

    def answer(self, model: nn.Module, batch: DemonstrationBatch) -> Loss:
        """The head's loss; the head decides what it predicts during training."""
        assert isinstance(model, ChunkPolicy)
        fused = model.fused_together(batch.moments)
        action, valid = batch.action.flatten(0, 1), batch.valid.flatten(0, 1)
        total, parts = model.head.loss(fused, action, valid)
        if batch.keyframe_m is None or self._keyframe is None:
            return total, parts
        way_m = batch.keyframe_m.flatten(0, 1)
        keyframe = self._keyframe.error(fused.summary, way_m, valid[:, 0])
        total = total + self._options.keyframe_weight * keyframe
        parts = parts | {"keyframe": keyframe.detach()}
        if fused.pointed is None:
            return total, parts
        pointing = pointing_error(fused.pointed, way_m, valid[:, 0])
        total = total + self._options.pointing_weight * pointing
        return total, parts | {"pointing": pointing.detach()}

    def loss(self, answer: Loss, batch: DemonstrationBatch) -> Loss:
        del batch
        return answer

    @cached_property
    def _judged_held_out(self) -> Judged | None:
        if self._held_out is None:
            return None
        judged = self._judged(self._held_out, self._spoken_held_out)
        return judged.at_most(self._options.val_decisions)

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Metrics on whole held-out episodes, evenly spread, beside trivial baselines."""
        judged = self._judged_held_out
        if judged is None:
            return {}
        with answering(model, self.device, by_name=True) as predict:
            decisions = decisions_of(predict, judged, together=_TOGETHER)
        return action_figures(
            decisions, ErrorScale(statistics=judged.statistics, is_tool=judged.is_tool)
        )

    def travels(self) -> dict[str, Any]:
        return self._travels.model_dump(mode="json")

    @classmethod
    def held_out(cls, recipe: Recipe, travels: Mapping[str, Any], data: Path | None) -> HeldOut:
        return DemonstrationHeldOut.of_recipe(recipe, read_travels(travels), data)
