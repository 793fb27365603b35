"""Contrastive learning of pictures and captions in one space."""

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Shaped, UInt8
from torch import Tensor, nn

from robot_vision.core.errors import ConfigError
from robot_vision.core.parameters.params import param
from robot_vision.models.alignment.picture_text import TEXT_ROLE, PictureText
from robot_vision.models.card import Size
from robot_vision.models.loss import Loss
from robot_vision.training.data.caches.picture_cache import PictureCache
from robot_vision.training.data.caches.picture_options import PictureOptions
from robot_vision.training.data.held_out.alignment import AlignmentHeldOut
from robot_vision.training.data.samples.augment import Augmenter
from robot_vision.training.data.samples.augmentation import Augmentation
from robot_vision.training.data.samples.batches import (
    BatchStream,
    Resolution,
    at_one_size,
    largest_of,
    resolution_at,
)
from robot_vision.training.data.words.caption_texts import (
    CaptionTexts,
    TextTowerOptions,
    VocabularyTexts,
    opened_sentences,
    travelled_texts,
)
from robot_vision.training.data.words.caption_words import vocabulary_of
from robot_vision.training.data.words.captions import (
    Caption,
    CaptionOptions,
    CaptionSet,
    open_captions,
)
from robot_vision.training.data.words.initial_words import with_words
from robot_vision.training.engine.recipes.recipe import Recipe
from robot_vision.training.engine.stepping.distributed import rank
from robot_vision.training.engine.task import TASKS, HeldOut, Task
from robot_vision.training.losses.alignment import contrastive_loss, hits

UNTRAINED_ENCODER = (
    "options.freeze_encoder freezes an encoder of fresh weights: give run.init_weights, or set it "
    "to false"
)
_LISTED = 8


@dataclass(frozen=True, kw_only=True, eq=False)
class AlignmentBatch:
    """Pictures with a caption each, as tokens or a frozen encoder's encodings; `same` where two
    captions name the same. `wrong` are the captions with a wrong word, where `has_wrong`."""

    rgb: UInt8[Tensor, "b h w 3"]
    text: Shaped[Tensor, "b l *w"]
    same: Bool[Tensor, "b b"]
    wrong: Shaped[Tensor, "b k l *w"]
    has_wrong: Bool[Tensor, "b k"]


class AlignmentOptions(PictureOptions):
    """The training data. Views neither mirror, nor shift hues, nor crop much: captions name
    sides, colours, and objects at the border."""

    captions: CaptionOptions = CaptionOptions()
    sentences: TextTowerOptions = TextTowerOptions()
    freeze_encoder: bool = param(False, "the encoder of pictures stays as it begins")
    wrong_captions: bool = param(
        True,
        "pictures also reject their captions with a wrong colour or object, if the set has any",
    )
    max_words: int = param(40, "words of the longest caption", ge=1, le=128)
    evaluation_images: int = param(1000, "pictures of an evaluation while training", ge=2)
    resolutions: list[Resolution] = param(
        [Resolution(width_px=256, height_px=192)], "sizes in the order of `until`", min_length=1
    )
    augmentation: Augmentation = Augmentation(
        flip=0, scale_min=0.85, scale_max=1.0, shift=0.03, depth_withheld=0, depth_holes=0
    )


@TASKS.register("alignment")
class AlignmentTask(Task[AlignmentBatch]):
    """Trains a picture-text model by contrast.

    The captions of a batch are negatives for one another's pictures: those of one process
    and of one part of a step, so that parts (`run.accumulate`) do not make up for a small batch.
    """

    options = AlignmentOptions
    metric = "retrieval_at_1"

    def __init__(self, recipe: Recipe, device: torch.device) -> None:
        super().__init__(recipe, device)
        options: AlignmentOptions = recipe.options
        self._options = options
        self._known = open_captions(options.train_set, options.captions)
        self._known.check_differ()
        where = {"source": options.train_set, "cache_dir": options.cache_dir}
        self._texts: CaptionTexts = opened_sentences(options.sentences, **where) or (
            VocabularyTexts(vocabulary_of(self._known.texts, max_words=options.max_words))
        )
        self._rejects = options.wrong_captions and any(
            any(self._wrong_of(caption))
            for each in self._known.pictures
            for caption in each.captions
        )
        self._held_out = _held_out(recipe, self.travels(), None) if options.val_set else None

    def spec_values(self) -> dict[str, Any]:
        return self._texts.spec

    def prepare(self, model: nn.Module) -> None:
        assert isinstance(model, PictureText)
        if self._options.freeze_encoder:
            model.freeze_encoder()

    def notes(self) -> tuple[str, ...]:
        things = sum(picture.is_thing for picture in self._known.pictures)
        notes = [
            f"{len(self._known.pictures) - things} pictures and {things} crops of things with "
            f"{len(self._known.texts)} captions {self._texts}"
        ]
        if self._options.freeze_encoder and not self.recipe.run.init_weights:
            notes.append(UNTRAINED_ENCODER)
        if self._held_out is not None and (unknown := self._held_out.unknown_words()):
            notes.append(
                f"{len(unknown)} words of {self._options.val_set} are in no caption of "
                f"{self._options.train_set} and are ignored: {', '.join(unknown[:_LISTED])}"
            )
        return tuple(notes)

    def initial_weights(
        self, tensors: dict[str, Tensor], travels: Mapping[str, Any]
    ) -> dict[str, Tensor]:
        """All of them; words keep the rows that they had."""
        texts = self._texts
        vocabulary = texts.vocabulary if isinstance(texts, VocabularyTexts) else None
        return with_words(tensors, travels, vocabulary)

    @cached_property
    def _stream(self) -> BatchStream:
        options = self._options
        cache = PictureCache(
            [picture.crop for picture in self._known.pictures],
            largest_of(options.resolutions),
            source=self._known.folder,
            cache_dir=options.cache_dir,
        )
        # All pictures are of the row 0: what they show is in their captions.
        augment = Augmenter(options.augmentation, ("picture",))
        return BatchStream(cache, augment, seed=self.recipe.run.seed, device=self.device)

    def batches(self, first_step: int, part: float) -> Generator[AlignmentBatch, None, None]:
        size = resolution_at(self._options.resolutions, part)
        batch_size = self.recipe.run.batch_size // self.recipe.run.accumulate
        step = first_step
        while True:
            seen = self._stream.batch(step, size, batch_size=batch_size)
            captions = self._drawn(self._stream.rows(step, batch_size=batch_size), step)
            yield self._batch(seen.rgb, captions)
            step += 1

    def _drawn(self, rows: list[int], step: int) -> list[Caption]:
        """A random caption for each picture."""
        rng = np.random.default_rng((self.recipe.run.seed, step, rank()))
        captions = [self._known.pictures[row].captions for row in rows]
        return [each[int(rng.integers(len(each)))] for each in captions]

    def _batch(self, rgb: UInt8[Tensor, "b h w 3"], captions: list[Caption]) -> AlignmentBatch:
        meanings = np.array([caption.meaning for caption in captions])
        wrong = [self._wrong_of(caption) if self._rejects else () for caption in captions]
        has_wrong = np.array([[bool(text) for text in each] for each in wrong], dtype=bool)
        # A caption stands where there is no wrong one: a text without words has no embedding.
        texts = [
            text or caption.caption
            for caption, each in zip(captions, wrong, strict=True)
            for text in each
        ]
        rejected = self._texts.rows(texts)
        said = self._texts.rows([caption.caption for caption in captions])
        return AlignmentBatch(
            rgb=rgb,
            text=self._placed(said),
            same=self._placed(meanings[:, None] == meanings[None]),
            wrong=self._placed(rejected.reshape(*has_wrong.shape, *rejected.shape[1:])),
            has_wrong=self._placed(has_wrong),
        )

    def _wrong_of(self, caption: Caption) -> tuple[str, ...]:
        """The caption with a wrong colour, and a wrong object; empty where it has none."""
        wrong = (caption.wrong_color, caption.wrong_thing)
        return tuple(text if self._texts.reads(text) else "" for text in wrong)

    def _placed(self, values: Shaped[np.ndarray, "..."]) -> Shaped[Tensor, "..."]:
        return torch.from_numpy(values).to(self.device)

    def answer(self, model: nn.Module, batch: AlignmentBatch) -> dict[str, Tensor]:
        """`text_embedding` has the captions first, then those with a wrong word."""
        return model(batch.rgb, torch.cat([batch.text, batch.wrong.flatten(0, 1)]))

    def loss(self, answer: dict[str, Tensor], batch: AlignmentBatch) -> Loss:
        texts = answer[TEXT_ROLE].float()
        picture, text = answer["embedding"].float(), texts[: len(batch.text)]
        wrong = texts[len(batch.text) :].unflatten(0, batch.has_wrong.shape)
        scale = answer["scale"].float()[0]
        total = contrastive_loss(
            picture, text, scale, batch.same, wrong=wrong, has_wrong=batch.has_wrong
        )
        return total, {
            "contrast": total.detach(),
            "batch_hits": hits(picture.detach(), text.detach()),
            "temperature": 1 / scale.detach(),
        }

    def after_step(self, model: nn.Module, step: int) -> None:
        del step
        assert isinstance(model, PictureText)
        model.clamp_scale()

    @torch.no_grad()
    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Figures on pictures spread over the held-out set."""
        if self._held_out is None:
            return {}
        assert isinstance(model, PictureText)
        was_training = model.training
        model.eval()
        figures = self._held_out.figures(
            lambda rgb: self._asked(model.picture, rgb)["embedding"].float().cpu().numpy(),
            lambda rows: self._asked(model.text, rows).float().cpu().numpy(),
            pictures=self._options.evaluation_images,
        )
        model.train(was_training)
        return figures

    def _asked(self, side: nn.Module, values: np.ndarray) -> Any:
        return side(torch.from_numpy(values).to(self.device))

    def travels(self) -> dict[str, Any]:
        """The words, the looks shown in training, and how crops were cut."""
        return {
            **self._texts.travels(),
            "seen": sorted(list(look) for look in self._known.looks),
            "crop": self._options.captions.crop.model_dump(),
        }

    @classmethod
    def resized(cls, recipe: Recipe, size: Size) -> Recipe:
        return at_one_size(recipe, size)

    @classmethod
    def held_out(cls, recipe: Recipe, travels: Mapping[str, Any], data: Path | None) -> HeldOut:
        return _held_out(recipe, travels, data)


def seen_looks(travels: Mapping[str, Any]) -> frozenset[tuple[str, str]]:
    """Colours and objects shown in training; raises `ConfigError` if they are not pairs."""
    try:
        return frozenset((str(color), str(thing)) for color, thing in travels.get("seen", ()))
    except (TypeError, ValueError) as error:
        raise ConfigError("`seen`, stored with the weights, is not a list of pairs") from error


def _held_out(recipe: Recipe, travels: Mapping[str, Any], data: Path | None) -> AlignmentHeldOut:
    options: AlignmentOptions = recipe.options
    captioned: CaptionSet = open_captions(options.held_out_folder(data), CaptionOptions())
    return AlignmentHeldOut(
        captioned,
        travelled_texts(
            travels,
            options.sentences,
            source=captioned.folder,
            cache_dir=options.cache_dir,
        ),
        seen=seen_looks(travels),
        size=options.served_size,
        cache_dir=options.cache_dir,
    )
