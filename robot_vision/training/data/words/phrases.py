"""Queries for pictures, from the captions of their set: phrases for single objects.

A phrase is kept as its content words: "a red mug" and "the mug that is red" become
"red mug" and "mug red". The captions show which words are colours and which are objects.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

from robot_vision.core.errors import ConfigError
from robot_vision.policies.language.vocabulary import split_words
from robot_vision.training.data.caches.crops import CropOptions
from robot_vision.training.data.opening.open_set import load_detection_set
from robot_vision.training.data.words.captions import Caption, CaptionOptions, Look, open_captions

ANY = ""  # in a look: any colour, or any object
_ANYTHING = ("thing", "object", "one")  # the noun for queries of a colour alone
# Words around an object's name in captions. Fewer than instructions skip: "can" is an object here.
_BESIDE = frozenset(("a", "an", "the", "that", "is"))
_EVERY_THING = CaptionOptions(things_per_picture=100, crop=CropOptions(min_px=1))


@dataclass(frozen=True, kw_only=True)
class Lexicon:
    """Phrases by the look that they name, and the meaning of single words."""

    phrases: Mapping[Look, tuple[str, ...]]
    colors: Mapping[str, str]
    things: Mapping[str, str]

    @property
    def texts(self) -> list[str]:
        """All phrases."""
        return [text for texts in self.phrases.values() for text in texts]

    @property
    def looks(self) -> tuple[Look, ...]:
        """Colours with objects, sorted."""
        return tuple(sorted(look for look in self.phrases if ANY not in look))

    def look_of(self, text: str) -> Look:
        """The colour and the object that a phrase names; `ANY` if it names none."""
        words = split_words(text)
        color = next((self.colors[word] for word in words if word in self.colors), ANY)
        return color, next((self.things[word] for word in words if word in self.things), ANY)


@dataclass(frozen=True, kw_only=True, eq=False)
class Query:
    """A query for a picture: `rows` of its boxes are right; none if the object is absent."""

    text: str
    look: Look
    rows: Int64[np.ndarray, " n"]

    @property
    def is_there(self) -> bool:
        return len(self.rows) > 0


@dataclass(frozen=True, kw_only=True, eq=False)
class Asked:
    """A picture by its row in the set, and its queries."""

    row: int
    queries: tuple[Query, ...]


def meaning_of(text: str) -> str:
    """The words of a phrase that identify the object."""
    return " ".join(word for word in split_words(text) if word not in _BESIDE)


def lexicon_of(folder: str) -> Lexicon:
    """The phrases of a set; raises `ConfigError` if its captions name no single objects."""
    captions = [c for of_image in _captions_by_image(folder).values() for c in of_image]
    said = [(meaning_of(c.caption), *c.named[0][:2]) for c in captions]
    colors, things = (_senses(said, which) for which in (0, 1))
    phrases: dict[Look, dict[str, None]] = {}
    for text, color, thing in said:
        phrases.setdefault((color, thing), {})[text] = None
    for word, thing in things.items():
        phrases.setdefault((ANY, thing), {})[word] = None
    for word, color in colors.items():
        of_color = phrases.setdefault((color, ANY), {})
        of_color.update({f"{word} {anything}": None for anything in _ANYTHING})
    return Lexicon(
        phrases={look: tuple(texts) for look, texts in phrases.items()},
        colors=colors,
        things=things,
    )


def queries_of(folder: str, *, per_picture: int) -> list[Asked]:
    """A held-out set's queries for its pictures: objects by their captions, and captions that are
    wrong in one word. At most `per_picture` of each kind, the same in each call."""
    opened, lexicon = load_detection_set(folder), lexicon_of(folder)
    captions = _captions_by_image(folder)
    asked: list[Asked] = []
    for row, image in enumerate(opened.images):
        known = captions.get(image.image_id, [])
        rng = np.random.default_rng([abs(image.image_id), 23])
        chosen = [known[number] for number in rng.permutation(len(known))]
        looks = [
            (color, opened.class_names[class_id])
            for color, class_id in zip(image.color, image.class_id.tolist(), strict=True)
        ]
        queries = (*_there(chosen, looks)[:per_picture], *_absent(chosen, lexicon)[:per_picture])
        if queries:
            asked.append(Asked(row=row, queries=queries))
    return asked


def _there(captions: Iterable[Caption], looks: list[Look]) -> list[Query]:
    """A query for each look that a caption names and that has boxes."""
    found: dict[Look, Query] = {}
    for caption in captions:
        look = (caption.named[0][0], caption.named[0][1])
        rows = np.array([row for row, each in enumerate(looks) if each == look], np.int64)
        if len(rows):
            query = Query(text=meaning_of(caption.caption), look=look, rows=rows)
            found.setdefault(look, query)
    return list(found.values())


def _absent(captions: Iterable[Caption], lexicon: Lexicon) -> list[Query]:
    """Captions wrong in their colour or their object, alternating: the picture shows no match."""
    nothing = np.zeros(0, np.int64)
    texts = [
        (caption.wrong_color, caption.wrong_thing)[number % 2]
        for number, caption in enumerate(captions)
    ]
    meant = dict.fromkeys(meaning_of(text) for text in texts if text)
    return [Query(text=text, look=lexicon.look_of(text), rows=nothing) for text in meant]


def _captions_by_image(folder: str) -> dict[int, list[Caption]]:
    """Captions of single objects, by image."""
    found: dict[int, list[Caption]] = {}
    for picture in open_captions(folder, _EVERY_THING).pictures:
        for caption in picture.captions:
            if picture.is_thing and len(caption.named) == 1:
                found.setdefault(caption.image_id, []).append(caption)
    if not found:
        raise ConfigError(
            f"{folder} has no captions of single objects with their colour; generated scenes get "
            f"them by `robot-vision scenes captions {folder}`"
        )
    return found


def _senses(said: Iterable[tuple[str, str, str]], which: int) -> dict[str, str]:
    """Words that occur with only one colour (`which` 0) or one object (1), and with which.

    An object's word occurs with several colours, and vice versa: this distinguishes them.
    """
    own: dict[str, set[str]] = {}
    other: dict[str, set[str]] = {}
    for text, *named in said:
        for word in text.split():
            own.setdefault(word, set()).add(named[which])
            other.setdefault(word, set()).add(named[1 - which])
    return {
        word: next(iter(meant))
        for word, meant in sorted(own.items())
        if len(meant) == 1 and (len(other[word]) > 1 or word in meant)
    }
