"""Metrics of a picture-text bundle on a held-out set, as it is served."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float

from robot_vision.alignment.picture_text import EmbeddedPicture, PictureText
from robot_vision.core.errors import ConfigError
from robot_vision.core.files.figures import write_figures
from robot_vision.export.alignment_pictures import Words, check_map, draw_map, draw_words
from robot_vision.export.measuring.picture_bundle import Measured, weights_travel
from robot_vision.model_store.store import Bundle
from robot_vision.training.data.caches.crops import CropOptions
from robot_vision.training.data.caches.picture_cache import spread
from robot_vision.training.data.held_out.alignment import shown_caption
from robot_vision.training.data.words.captions import (
    Caption,
    CaptionedPicture,
    CaptionOptions,
    open_captions,
)
from robot_vision.training.metrics.alignment import (
    Draws,
    Interval,
    flat,
    retrieval,
    share,
    space_figures,
)
from robot_vision.training.metrics.color_words import (
    color_counts,
    color_shares,
    color_similarity,
)
from robot_vision.training.tasks.alignment import seen_looks

METRICS, MAP, WORDS = "metrics.json", "map.png", "words.png"
_MOST_THINGS = 100  # crops of one picture
_MAPPED = 200  # pairs on the map
_OTHER_KINDS = ("reworded", "places", "relation")


@dataclass(frozen=True, kw_only=True)
class MeasureOptions:
    """`pictures` of the set are measured (0: all), evenly spread; the sheet shows `tiles`."""

    pictures: int = 0
    draws: Draws = field(default_factory=Draws)
    tiles: int = 12


@dataclass(frozen=True, kw_only=True, eq=False)
class _Embedded:
    """Pictures of a set with their embeddings by the bundle, and the colours in each."""

    pictures: list[CaptionedPicture]
    seen: list[EmbeddedPicture]
    colors: list[np.ndarray]

    @property
    def embedding(self) -> Float[np.ndarray, "n d"]:
        return np.stack([each.embedding for each in self.seen])


class _Texts:
    """Embeddings of texts, and the words unknown to the bundle."""

    def __init__(self, model: PictureText) -> None:
        self._model = model
        self.unknown: set[str] = set()

    def __call__(self, texts: Sequence[str]) -> Float[np.ndarray, "n d"]:
        found = self._model.embed_texts(texts)
        self.unknown |= {word for text in found for word in text.unknown_words}
        return np.stack([text.embedding for text in found])


def measure_alignment(
    bundle: Bundle, held_out: Path, *, out: Path, options: MeasureOptions | None = None
) -> Measured:
    """Retrieval, similarity, never-seen looks and swapped words, beside trivial baselines.

    Writes `metrics.json`, `map.png` (t-SNE of both kinds of embedding) and `words.png` (where in
    a picture words are meant). Raises `BundleError` for another bundle, `ConfigError` for a set
    without captions, and `MissingDependencyError` without scikit-learn.
    """
    check_map()
    options = options or MeasureOptions()
    model, travels = PictureText(bundle), weights_travel(bundle)
    crop = CropOptions.model_validate(travels.get("crop", {}))
    wanted = CaptionOptions(things_per_picture=_MOST_THINGS, crop=crop)
    captioned = open_captions(str(held_out), wanted)
    captioned.check_differ()
    chosen = _chosen(captioned.pictures, options.pictures)
    whole, things = (
        _embedded(model, [each for each in chosen if each.is_thing == is_thing])
        for is_thing in (False, True)
    )
    texts, seen = _Texts(model), seen_looks(travels)
    pairs = _pairs([shown_caption(each.captions) for each in whole.pictures])
    if len(pairs) < 2:
        raise ConfigError(f"{held_out} has {len(pairs)} captioned pictures; expected two or more")
    picture, caption = whole.embedding[pairs.rows], texts(pairs.texts)
    figures: dict[str, Interval | float] = {
        **pairs.retrieval(picture @ caption.T, seen, options.draws),
        **space_figures(picture, caption),
        **_beside(pairs, whole, options.draws),
        **_of_other_kinds(whole, texts, seen, options.draws),
        **_swapped(whole, texts),
        **_of_things(things, texts, seen, options.draws),
    }
    rounded = flat(figures)
    write_figures(out / METRICS, rounded)
    rows = spread(len(pairs), _MAPPED)
    draw_map(out / MAP, picture[rows], caption[rows])
    shown = _words(whole, things, texts, tiles=options.tiles)
    draw_words(out / WORDS, shown)
    return Measured(metrics=rounded, notes=_notes(pairs, texts, seen), files=(METRICS, MAP, WORDS))


@dataclass(frozen=True, kw_only=True, eq=False)
class _Pairs:
    """Pictures (by row) with a caption each."""

    rows: list[int]
    captions: list[Caption]

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def texts(self) -> list[str]:
        return [caption.caption for caption in self.captions]

    def never_seen(self, seen: frozenset[tuple[str, str]]) -> Bool[np.ndarray, " n"]:
        """Which captions name an object in a colour that training never showed."""
        return np.array([bool(caption.looks - seen) for caption in self.captions])

    def retrieval(
        self,
        similarity: Float[np.ndarray, "n n"],
        seen: frozenset[tuple[str, str]],
        draws: Draws,
    ) -> dict[str, Interval]:
        meanings = [caption.meaning for caption in self.captions]
        return retrieval(similarity, meanings, self.never_seen(seen), draws)


def _chosen(pictures: Sequence[CaptionedPicture], count: int) -> list[CaptionedPicture]:
    """Some whole pictures, evenly spread, and the objects in them."""
    starts = [row for row, picture in enumerate(pictures) if not picture.is_thing]
    ends = [*starts[1:], len(pictures)][: len(starts)]
    groups = [pictures[start:end] for start, end in zip(starts, ends, strict=True)]
    return [picture for row in spread(len(groups), count) for picture in groups[row]]


def _embedded(model: PictureText, pictures: list[CaptionedPicture]) -> _Embedded:
    seen, colors = [], []
    for picture in pictures:
        rgb = picture.crop.decode().rgb
        seen.append(model.embed_picture(rgb))
        colors.append(color_shares(rgb))
    return _Embedded(pictures=pictures, seen=seen, colors=colors)


def _pairs(captions: Sequence[Caption | None]) -> _Pairs:
    """The rows that have a caption."""
    shown = [(row, caption) for row, caption in enumerate(captions) if caption is not None]
    return _Pairs(rows=[row for row, _ in shown], captions=[caption for _, caption in shown])


def _beside(pairs: _Pairs, embedded: _Embedded, draws: Draws) -> dict[str, float]:
    """Results of chance, and of colours alone: see `training/metrics/color_words.py`."""
    counts = [color_counts(caption.named) for caption in pairs.captions]
    by_color = color_similarity([embedded.colors[row] for row in pairs.rows], counts)
    found = {
        "chance": pairs.retrieval(np.zeros_like(by_color), frozenset(), draws),
        "colors": pairs.retrieval(by_color, frozenset(), draws),
    }
    return {
        f"trivial/{name}/{figure}": each[figure].value
        for name, each in found.items()
        for figure in ("retrieval_at_1", "retrieval_at_5", "retrieval_at_10")
    }


def _of_other_kinds(
    embedded: _Embedded, texts: _Texts, seen: frozenset[tuple[str, str]], draws: Draws
) -> dict[str, Interval]:
    """Retrieval at 1 by captions that say less, or whose sentences training never shows."""
    figures = {}
    for kind in _OTHER_KINDS:
        pairs = _pairs([picture.of_kind(kind) for picture in embedded.pictures])
        if len(pairs) > 1:
            similarity = embedded.embedding[pairs.rows] @ texts(pairs.texts).T
            figures[f"{kind}/retrieval_at_1"] = pairs.retrieval(similarity, seen, draws)[
                "retrieval_at_1"
            ]
    return figures


def _swapped(embedded: _Embedded, texts: _Texts) -> dict[str, Interval]:
    """Share of captions nearer to their picture than the same with one word swapped."""
    figures = {}
    for name in ("wrong_color", "wrong_thing"):
        pairs = [
            (row, caption.caption, getattr(caption, name))
            for row, picture in enumerate(embedded.pictures)
            for caption in picture.captions
            if getattr(caption, name)
        ]
        if not pairs:
            continue
        picture = embedded.embedding[[row for row, _, _ in pairs]]
        right = (picture * texts([said for _, said, _ in pairs])).sum(axis=1)
        wrong = (picture * texts([said for _, _, said in pairs])).sum(axis=1)
        figures[f"above_{name}"] = share((right > wrong).astype(np.float64))
    return figures


def _of_things(
    things: _Embedded, texts: _Texts, seen: frozenset[tuple[str, str]], draws: Draws
) -> dict[str, Interval | float]:
    """The same for crops around single objects; a draw has each object once per colour."""
    pairs = _pairs([picture.captions[0] for picture in things.pictures])
    if len(pairs) < 2:
        return {}
    similarity = things.embedding @ texts(pairs.texts).T
    found = pairs.retrieval(similarity, seen, draws)
    figures = {**found, **_swapped(things, texts), **_beside(pairs, things, draws)}
    return {f"things/{name}": value for name, value in figures.items()}


def _words(whole: _Embedded, things: _Embedded, texts: _Texts, *, tiles: int) -> list[Words]:
    """Pictures with words for one object in each, and each cell's similarity to them."""
    of_image: dict[int, str] = {}
    for picture in things.pictures:
        of_image.setdefault(picture.captions[0].image_id, picture.captions[0].caption)
    shown = []
    for row in spread(len(whole.pictures), tiles):
        picture, seen = whole.pictures[row], whole.seen[row]
        said = of_image.get(picture.captions[0].image_id, picture.captions[0].caption)
        near = np.einsum("d,dhw->hw", texts([said])[0], seen.cells)
        shown.append(Words(rgb=picture.crop.decode().rgb, text=said, similarity=near))
    return shown


def _notes(pairs: _Pairs, texts: _Texts, seen: frozenset[tuple[str, str]]) -> tuple[str, ...]:
    unseen = int(pairs.never_seen(seen).sum()) if seen else 0
    notes = [f"{len(pairs)} pictures; {unseen} captions name looks that training never showed"]
    if texts.unknown:
        notes.append(f"words unknown to the bundle: {', '.join(sorted(texts.unknown))}")
    return tuple(notes)
