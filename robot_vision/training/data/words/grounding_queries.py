"""Training phrases for pictures: of objects present, and of similar ones that are not."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor

from robot_vision.training.data.samples.samples import Batch
from robot_vision.training.data.words.captions import Look
from robot_vision.training.data.words.phrases import ANY, Lexicon

_PART_OF_BOTH, _PART_OF_THING = 0.7, 0.15  # of phrases of present objects; the rest are colours
_PART_OF_ANY_LOOK = 0.2  # of phrases of absent objects: those not one word away from a present one


class Questions:
    """Draws `count` phrases per picture; looks without a phrase in the lexicon are never used."""

    def __init__(
        self, lexicon: Lexicon, *, colors: Sequence[str], things: Sequence[str], count: int
    ) -> None:
        self._lexicon, self._count = lexicon, count
        self._colors, self._things = tuple(colors), tuple(things)
        self._looks = lexicon.looks

    def asked(
        self, batch: Batch, rng: np.random.Generator
    ) -> tuple[list[list[str]], Bool[Tensor, "b p m"]]:
        """Phrases for each picture, and which of its objects each names."""
        colors, things = batch.color_id.cpu().numpy(), batch.class_id.cpu().numpy()
        texts: list[list[str]] = []
        is_named = np.zeros((len(colors), self._count, colors.shape[1]), np.bool_)
        for number, (color, thing) in enumerate(zip(colors, things, strict=True)):
            chosen = self._chosen(self._shown(color, thing), rng)
            texts.append([self._phrase(look, rng) for look in chosen])
            for row, look in enumerate(chosen):
                is_named[number, row] = self._names(look, color, thing)
        return texts, torch.from_numpy(is_named)

    def _shown(self, color: np.ndarray, thing: np.ndarray) -> list[Look]:
        pairs = zip(color.tolist(), thing.tolist(), strict=True)
        return [(self._colors[c], self._things[t]) for c, t in pairs if c >= 0 and t >= 0]

    def _chosen(self, shown: list[Look], rng: np.random.Generator) -> list[Look]:
        """Looks to query, present ones first."""
        known = [look for look in shown if look in self._lexicon.phrases]
        there = self._count // 2 if known else 0
        chosen = [self._part_of(known[int(rng.integers(len(known)))], rng) for _ in range(there)]
        while len(chosen) < self._count:
            chosen.append(self._other(known, rng))
        return chosen

    def _part_of(self, look: Look, rng: np.random.Generator) -> Look:
        drawn = rng.random()
        if drawn < _PART_OF_BOTH:
            return look
        part = (ANY, look[1]) if drawn < _PART_OF_BOTH + _PART_OF_THING else (look[0], ANY)
        return part if part in self._lexicon.phrases else look

    def _other(self, known: list[Look], rng: np.random.Generator) -> Look:
        """A look that shares colour or object name with a present one; sometimes any other.

        It may be in the picture by chance; then it counts as present.
        """
        if known and rng.random() > _PART_OF_ANY_LOOK:
            color, thing = known[int(rng.integers(len(known)))]
            of_color = rng.random() < 0.5
            near = [
                look
                for look in self._looks
                if look not in known and (look[0] == color if of_color else look[1] == thing)
            ]
            if near:
                return near[int(rng.integers(len(near)))]
        return self._looks[int(rng.integers(len(self._looks)))]

    def _phrase(self, look: Look, rng: np.random.Generator) -> str:
        phrases = self._lexicon.phrases[look]
        return phrases[int(rng.integers(len(phrases)))]

    def _names(self, look: Look, color: np.ndarray, thing: np.ndarray) -> np.ndarray:
        """Which objects have this look, [m]."""
        named = thing >= 0
        if look[0] != ANY:
            named = named & (color == self._colors.index(look[0]))
        return named & (thing == self._things.index(look[1])) if look[1] != ANY else named
