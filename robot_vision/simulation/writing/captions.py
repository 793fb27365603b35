"""Captions of generated scenes, from their ground truth: objects, colours, counts, places.

A caption names only objects clearly in view, and counts a kind of object only if none of it is
half hidden. Each caption comes with two that are wrong in one word: another colour or object, of
which the picture shows none.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from robot_vision.simulation.content.palette import Split
from robot_vision.simulation.robot.work.phrases import CLASS_WORDS, COLOR_WORDS

CLEAR_PX = 120
CLEAR_SHARE = 0.35
_MOST_LISTED = 5
_LISTS = 2  # number of captions per picture, each worded differently
_LEFT, _MIDDLE, _RIGHT = 0.4, (0.44, 0.56), 0.6  # as parts of the picture's width
_APART = 0.15
_APART_M = 0.12
_STREAM = 23  # separate from the random streams of scenes

_COUNTS = (
    "", "a", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
    "twelve",
)  # fmt: skip
_NOUNS = ("{count} {color} {noun}",) * 3 + (
    "{count} {noun} that {be} {color}",
    "{count} {color} colored {noun}",
)
_SENTENCES = (
    "{things}",
    "{things}",
    "a picture of {things}",
    "{things} on a table",
    "a table with {things}",
    "one can see {things}",
    "this shows {things}",
)
# From words that the sentences above contain, too.
_HELD_OUT_SENTENCES = (
    "a picture of a table with {things}",
    "one can see {things} on a table",
    "this shows a table with {things}",
)
_BESIDE = {"left": ("to the left of", "left of"), "right": ("to the right of", "right of")}
_PLACES = {
    "left": ("on the left", "to the left"),
    "middle": ("in the middle", "in the center"),
    "right": ("on the right", "to the right"),
}
_DEEPER = {"nearer": ("in front of",), "farther": ("behind",)}


@dataclass(frozen=True, kw_only=True)
class Thing:
    """One annotated object. `x` is its centre as a fraction of the picture's width."""

    annotation_id: int
    name: str
    color: str
    x: float
    depth_m: float
    area_px: float
    is_clear: bool


@dataclass(frozen=True, kw_only=True)
class Group:
    """All objects of one colour and name in a picture, as a caption names them."""

    color: str
    name: str
    count: int
    area_px: float
    x: float
    depth_m: float


@dataclass(frozen=True, kw_only=True)
class _Phrase:
    """Words chosen for a group, and what follows them."""

    group: Group
    form: str
    color_word: str
    noun: str
    place: str = ""

    def __str__(self) -> str:
        is_one = self.group.count == 1
        text = self.form.format(
            count=_COUNTS[self.group.count],
            color=self.color_word,
            noun=self.noun if is_one else _plural(self.noun),
            be="is" if is_one else "are",
        )
        if is_one and text.split()[1][0] in "aeiou":
            text = f"an{text[1:]}"
        return f"{text} {self.place}" if self.place else text


@dataclass(frozen=True, kw_only=True)
class Caption:
    """A caption, what it names, and its variants with a wrong colour or object; empty for none.

    `kind`: list, places, relation, reworded (a sentence that training never shows) or thing (of
    the object `annotation_id` alone).
    """

    text: str
    kind: str
    named: tuple[Group, ...]
    wrong_color: str
    wrong_thing: str
    annotation_id: int | None = None


def with_captions(content: Mapping[str, Any], *, split: Split) -> dict[str, Any]:
    """The content of `annotations.json` with `captions` for all its images.

    Deterministic: the text depends only on an image's seed and id.
    """
    names = {category["id"]: category["name"] for category in content["categories"]}
    by_image: dict[int, list[Mapping[str, Any]]] = {image["id"]: [] for image in content["images"]}
    for annotation in content["annotations"]:
        by_image[annotation["image_id"]].append(annotation)
    captions: list[dict[str, Any]] = []
    for image in content["images"]:
        things = [_thing(a, names, image["width"]) for a in by_image[image["id"]]]
        rng = np.random.default_rng([image["seed"], image["id"], _STREAM])
        for caption in captions_of(things, rng, split=split):
            captions.append({"id": len(captions) + 1, **_record(caption, image["id"])})
    return {**content, "captions": captions}


def captions_of(
    things: Sequence[Thing], rng: np.random.Generator, *, split: Split
) -> list[Caption]:
    """Captions of a picture and of each object clearly in view; empty if there is none."""
    groups = groups_of(things)
    captions = []
    if groups:
        sentences: list[tuple[str, Sequence[str]]] = [("list", _SENTENCES)] * _LISTS
        if split != "train":
            sentences.append(("reworded", _HELD_OUT_SENTENCES))
        for kind, forms in sentences:
            phrases = _shuffled([_phrase(g, rng) for g in groups[:_MOST_LISTED]], rng)
            captions.append(_caption(kind, _pick(forms, rng), phrases, things, rng))
        captions += [*_of_places(groups, things, rng), *_of_relation(groups, things, rng)]
    for thing in things:
        if thing.is_clear:
            phrase = _phrase(_group([thing]), rng)
            caption = _caption("thing", "{things}", [phrase], things, rng)
            captions.append(replace(caption, annotation_id=thing.annotation_id))
    return captions


def groups_of(things: Iterable[Thing]) -> list[Group]:
    """Groups that may be named and counted, the largest first."""
    by_look: dict[tuple[str, str], list[Thing]] = {}
    for thing in things:
        by_look.setdefault((thing.color, thing.name), []).append(thing)
    groups = [_group(same) for same in by_look.values() if all(t.is_clear for t in same)]
    return sorted(groups, key=lambda g: -g.area_px)


def _group(same: Sequence[Thing]) -> Group:
    return Group(
        color=same[0].color,
        name=same[0].name,
        count=len(same),
        area_px=sum(t.area_px for t in same),
        x=same[0].x,
        depth_m=same[0].depth_m,
    )


def _of_places(
    groups: Sequence[Group], things: Sequence[Thing], rng: np.random.Generator
) -> list[Caption]:
    placed = [
        replace(_phrase(group, rng), place=_pick(_PLACES[place], rng))
        for group in groups
        if group.count == 1 and (place := _place(group.x))
    ][:3]
    return [_caption("places", _pick(_SENTENCES[:3], rng), placed, things, rng)] if placed else []


def _place(x: float) -> str:
    """Empty between the regions, where people would not agree."""
    if x <= _LEFT:
        return "left"
    if x >= _RIGHT:
        return "right"
    return "middle" if _MIDDLE[0] <= x <= _MIDDLE[1] else ""


def _of_relation(
    groups: Sequence[Group], things: Sequence[Thing], rng: np.random.Generator
) -> list[Caption]:
    single = _shuffled([group for group in groups if group.count == 1], rng)
    for one in single:
        for other in single:
            words = _relation(one, other)
            if one is not other and words:
                phrases = [_phrase(one, rng), _phrase(other, rng)]
                form = _pick(_SENTENCES[:3], rng)
                joint = f" {_pick(words, rng)} "
                return [_caption("relation", form, phrases, things, rng, joint=joint)]
    return []


def _relation(one: Group, other: Group) -> tuple[str, ...]:
    """Words for the position of `one` relative to `other`; none if unclear."""
    if abs(one.x - other.x) >= _APART:
        return _BESIDE["left" if one.x < other.x else "right"]
    if abs(one.depth_m - other.depth_m) >= _APART_M:
        return _DEEPER["nearer" if one.depth_m < other.depth_m else "farther"]
    return ()


def _caption(
    kind: str,
    sentence: str,
    phrases: Sequence[_Phrase],
    things: Sequence[Thing],
    rng: np.random.Generator,
    *,
    joint: str = "",
) -> Caption:
    shown = {(t.color, t.name) for t in things}
    changed = int(rng.integers(len(phrases)))
    group = phrases[changed].group
    colors = [c for c in COLOR_WORDS if (c, group.name) not in shown]
    names = [n for n in CLASS_WORDS if (group.color, n) not in shown]

    def text(**words: str) -> str:
        said = [*phrases]
        said[changed] = replace(said[changed], **words)
        return sentence.format(things=_joined([str(p) for p in said], joint))

    return Caption(
        text=text(),
        kind=kind,
        named=tuple(p.group for p in phrases),
        wrong_color=text(color_word=_pick(COLOR_WORDS[_pick(colors, rng)], rng)) if colors else "",
        wrong_thing=text(noun=_pick(CLASS_WORDS[_pick(names, rng)], rng)) if names else "",
    )


def _phrase(group: Group, rng: np.random.Generator) -> _Phrase:
    return _Phrase(
        group=group,
        form=_pick(_NOUNS, rng),
        color_word=_pick(COLOR_WORDS[group.color], rng),
        noun=_pick(CLASS_WORDS[group.name], rng),
    )


def _joined(parts: Sequence[str], joint: str) -> str:
    if joint or len(parts) == 1:
        return joint.join(parts)
    return f"{', '.join(parts[:-1])} and {parts[-1]}"


def _plural(noun: str) -> str:
    return f"{noun}es" if noun.endswith(("s", "x", "sh", "ch")) else f"{noun}s"


def _thing(annotation: Mapping[str, Any], names: Mapping[int, str], width_px: int) -> Thing:
    left, _, width, _ = annotation["bbox"]
    visible_share = annotation["visible_share"]
    return Thing(
        annotation_id=annotation["id"],
        name=names[annotation["category_id"]],
        color=annotation["color"],
        x=(left + width / 2) / width_px,
        depth_m=annotation["camera_from_object"][2][3],
        area_px=annotation["area"],
        is_clear=not annotation["iscrowd"]
        and annotation["area"] >= CLEAR_PX
        and visible_share >= CLEAR_SHARE,
    )


def _record(caption: Caption, image_id: int) -> dict[str, Any]:
    """As in COCO, with our additional fields."""
    of_thing = {} if caption.annotation_id is None else {"annotation_id": caption.annotation_id}
    return {
        "image_id": image_id,
        **of_thing,
        "caption": caption.text,
        "kind": caption.kind,
        "named": [[g.color, g.name, g.count] for g in caption.named],
        "wrong_color": caption.wrong_color,
        "wrong_thing": caption.wrong_thing,
    }


def _shuffled(items: list[Any], rng: np.random.Generator) -> list[Any]:
    return [items[row] for row in rng.permutation(len(items))]


def _pick(choices: Sequence[str], rng: np.random.Generator) -> str:
    return choices[int(rng.integers(len(choices)))]
