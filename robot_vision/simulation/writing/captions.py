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
from robot_vision.simulation.writing.caption_phrases import (
    HELD_OUT_SENTENCES,
    SENTENCES,
    Group,
    Phrase,
    joined,
    phrase_of,
    pick,
    place_words,
    relation_words,
)

CLEAR_PX = 120
CLEAR_SHARE = 0.35
_MOST_LISTED = 5
_LISTS = 2  # number of captions per picture, each worded differently
_STREAM = 23  # separate from the random streams of scenes


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
        sentences: list[tuple[str, Sequence[str]]] = [("list", SENTENCES)] * _LISTS
        if split != "train":
            sentences.append(("reworded", HELD_OUT_SENTENCES))
        for kind, forms in sentences:
            phrases = _shuffled([phrase_of(g, rng) for g in groups[:_MOST_LISTED]], rng)
            captions.append(_caption(kind, pick(forms, rng), phrases, things, rng))
        captions += [*_of_places(groups, things, rng), *_of_relation(groups, things, rng)]
    for thing in things:
        if thing.is_clear:
            phrase = phrase_of(_group([thing]), rng)
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
        replace(phrase_of(group, rng), place=pick(words, rng))
        for group in groups
        if group.count == 1 and (words := place_words(group.x))
    ][:3]
    return [_caption("places", pick(SENTENCES[:3], rng), placed, things, rng)] if placed else []


def _of_relation(
    groups: Sequence[Group], things: Sequence[Thing], rng: np.random.Generator
) -> list[Caption]:
    single = _shuffled([group for group in groups if group.count == 1], rng)
    for one in single:
        for other in single:
            words = relation_words(one, other)
            if one is not other and words:
                phrases = [phrase_of(one, rng), phrase_of(other, rng)]
                form = pick(SENTENCES[:3], rng)
                joint = f" {pick(words, rng)} "
                return [_caption("relation", form, phrases, things, rng, joint=joint)]
    return []


def _caption(
    kind: str,
    sentence: str,
    phrases: Sequence[Phrase],
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
        return sentence.format(things=joined([str(p) for p in said], joint))

    return Caption(
        text=text(),
        kind=kind,
        named=tuple(p.group for p in phrases),
        wrong_color=text(color_word=pick(COLOR_WORDS[pick(colors, rng)], rng)) if colors else "",
        wrong_thing=text(noun=pick(CLASS_WORDS[pick(names, rng)], rng)) if names else "",
    )


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
