"""Boxes for free text: proposals, and which of them a phrase names."""

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Int64
from torch import Tensor, nn

from robot_vision.core.parameters.params import param, with_options
from robot_vision.models.card import Size
from robot_vision.models.grounding.region_words import RegionWords, RegionWordsSpec
from robot_vision.models.loss import Loss
from robot_vision.training.data.caches.open_samples import samples_of
from robot_vision.training.data.caches.picture_options import PictureOptions
from robot_vision.training.data.held_out.grounding import GroundingHeldOut
from robot_vision.training.data.opening.open_set import load_detection_set
from robot_vision.training.data.samples.augment import Augmenter
from robot_vision.training.data.samples.augmentation import Augmentation
from robot_vision.training.data.samples.batches import (
    BatchStream,
    at_one_size,
    largest_of,
    resolution_at,
)
from robot_vision.training.data.samples.samples import Batch
from robot_vision.training.data.words.caption_words import (
    token_rows,
    travelled_vocabulary,
    vocabulary_of,
)
from robot_vision.training.data.words.grounding_queries import Questions
from robot_vision.training.data.words.phrases import lexicon_of
from robot_vision.training.data.words.words_from import begin_words
from robot_vision.training.engine.recipes.recipe import Recipe
from robot_vision.training.engine.task import TASKS, HeldOut, Task
from robot_vision.training.losses.grounding import (
    GroundingLossWeights,
    phrase_loss,
    proposal_losses,
    taught_regions,
)
from robot_vision.training.metrics.grounding import METRIC
from robot_vision.training.tasks.alignment import UNTRAINED_ENCODER, seen_looks

_OF_WORDS = "language."


class GroundingOptions(PictureOptions):
    """The training data: boxes, and the phrases for single objects in the set's captions."""

    losses: GroundingLossWeights = GroundingLossWeights()
    phrases: int = param(6, "per picture, half of them for absent objects", ge=2)
    max_words: int = param(8, "words of the longest phrase", ge=1, le=128)
    freeze_encoder: bool = param(False, "the encoder stays as it begins")
    words_from: str = param(
        "", "run or bundle of picture-text whose encoder of words this one begins from"
    )
    augmentation: Augmentation = Augmentation(depth_withheld=0, depth_holes=0)


@dataclass(frozen=True, kw_only=True, eq=False)
class GroundingBatch:
    """Pictures, the phrases for each, and which of its objects each phrase names."""

    seen: Batch
    tokens: Int64[Tensor, "b p l"]
    is_named: Bool[Tensor, "b p m"]


@TASKS.register("grounding")
class GroundingTask(Task[GroundingBatch]):
    """Trains a model with text prompts."""

    options = GroundingOptions
    metric = METRIC

    def __init__(self, recipe: Recipe, device: torch.device) -> None:
        super().__init__(recipe, device)
        options: GroundingOptions = recipe.options
        self._options = options
        self._source = load_detection_set(options.train_set)
        self._lexicon = lexicon_of(options.train_set)
        self._vocabulary = vocabulary_of(self._lexicon.texts, max_words=options.max_words)
        self._questions = Questions(
            self._lexicon,
            colors=self._source.color_names,
            things=self._source.class_names,
            count=options.phrases,
        )
        self._held_out = _held_out(recipe, self.travels(), None) if options.val_set else None

    def spec_values(self) -> dict[str, Any]:
        return {"words": len(self._vocabulary.words), "max_words": self._vocabulary.max_words}

    def prepare(self, model: nn.Module) -> None:
        assert isinstance(model, RegionWords)
        self._model = model
        if self._options.freeze_encoder:
            model.freeze_encoder()
        if self._options.words_from:
            begin_words(
                model.language,
                self._options.words_from,
                self._vocabulary,
                model.spec,
                meant={*self._lexicon.colors, *self._lexicon.things},
            )

    def notes(self) -> tuple[str, ...]:
        notes = [
            f"{len(self._source.images)} pictures, {len(self._lexicon.texts)} phrases of "
            f"{len(self._vocabulary.words)} words for {len(self._lexicon.looks)} looks"
        ]
        if self._options.freeze_encoder and not self.recipe.run.init_weights:
            notes.append(UNTRAINED_ENCODER)
        return tuple(notes)

    def initial_weights(
        self, tensors: dict[str, Tensor], travels: Mapping[str, Any]
    ) -> dict[str, Tensor]:
        """The text encoder only if the words are the same: tokens would differ."""
        if travels.get("vocabulary") == self.travels()["vocabulary"]:
            return tensors
        return {n: tensor for n, tensor in tensors.items() if not n.startswith(_OF_WORDS)}

    @cached_property
    def _stream(self) -> BatchStream:
        options = self._options
        largest = largest_of(options.resolutions)
        cache = samples_of(
            self._source,
            options.train_set,
            width_px=largest.width_px,
            height_px=largest.height_px,
            cache_dir=options.cache_dir,
        )
        augment = Augmenter(options.augmentation, self._source.class_names)
        return BatchStream(cache, augment, seed=self.recipe.run.seed, device=self.device)

    def batches(self, first_step: int, part: float) -> Generator[GroundingBatch, None, None]:
        size = resolution_at(self._options.resolutions, part)
        batch_size = self.recipe.run.batch_size // self.recipe.run.accumulate
        step = first_step
        while True:
            seen = self._stream.batch(step, size, batch_size=batch_size)
            rng = np.random.default_rng(int(torch.randint(2**62, ()).item()))
            texts, is_named = self._questions.asked(seen, rng)
            tokens = np.stack([token_rows(row, self._vocabulary) for row in texts])
            yield GroundingBatch(
                seen=seen,
                tokens=torch.from_numpy(tokens).to(self.device),
                is_named=is_named.to(self.device),
            )
            step += 1

    def answer(self, model: nn.Module, batch: GroundingBatch) -> dict[str, Tensor]:
        assert isinstance(model, RegionWords)
        seen = model.see(batch.seen.rgb)
        things, boxes, surest = model.proposed(seen)
        regions = taught_regions(surest, batch.seen)
        found = model.matched(seen, regions, *model.read(batch.tokens))
        return {"things": things, "boxes": boxes, "regions": regions, **found}

    def loss(self, answer: dict[str, Tensor], batch: GroundingBatch) -> Loss:
        seen, regions = batch.seen, answer["regions"]
        parts = proposal_losses(answer["things"].float(), answer["boxes"].float(), seen)
        for name, logits in (("phrases", answer["logits"]), ("space", answer["alike"])):
            parts[name] = phrase_loss(logits.float(), regions, seen, batch.is_named)
        weights = self._options.losses.model_dump()
        total = torch.stack([weights[name] * part for name, part in parts.items()]).sum()
        return total, {name: part.detach() for name, part in parts.items()}

    @torch.no_grad()
    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Metrics on pictures of the held-out set, at the threshold best for them."""
        if self._held_out is None:
            return {}
        assert isinstance(model, RegionWords)
        was_training = model.training
        model.eval()

        def ask(rgb: np.ndarray, tokens: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            given = (torch.from_numpy(each).to(self.device) for each in (rgb, tokens[None]))
            found = model(*given)
            scores = found["logits"][0].sigmoid()
            return found["boxes_xyxy"][0].cpu().numpy(), scores.cpu().numpy()

        figures = self._held_out.figures(ask, pictures=self._options.evaluation_images)
        model.train(was_training)
        return figures

    def travels(self) -> dict[str, Any]:
        """The words, and the looks queried in training."""
        return {
            "vocabulary": self._vocabulary.model_dump(mode="json"),
            "seen": [list(look) for look in self._lexicon.looks],
        }

    @classmethod
    def resized(cls, recipe: Recipe, size: Size) -> Recipe:
        return at_one_size(recipe, size)

    @classmethod
    def held_out(cls, recipe: Recipe, travels: Mapping[str, Any], data: Path | None) -> HeldOut:
        return _held_out(recipe, travels, data)


def _held_out(recipe: Recipe, travels: Mapping[str, Any], data: Path | None) -> GroundingHeldOut:
    options: GroundingOptions = recipe.options
    return GroundingHeldOut(
        options.held_out_folder(data),
        threshold_folder=options.val_set,
        vocabulary=travelled_vocabulary(travels),
        seen=seen_looks(travels),
        spec=with_options(RegionWordsSpec(), recipe.spec, of=f"model {recipe.model!r}"),
        size=options.served_size,
        cache_dir=options.cache_dir,
    )
