"""Captions say what is there, and the wrong ones beside them what is not."""

import json
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from robot_vision.cli import app
from robot_vision.core.errors import ConfigError
from robot_vision.simulation.content.palette import CLASS_NAMES, COLOR_NAMES, Split
from robot_vision.simulation.robot.work.phrases import CLASS_WORDS, COLOR_WORDS
from robot_vision.simulation.writing.captions import (
    CLEAR_PX,
    CLEAR_SHARE,
    Caption,
    Thing,
    captions_of,
    with_captions,
)

NUMBERS = (
    "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
)  # fmt: skip
COUNTS = {"a": 1, "an": 1} | {word: number for number, word in enumerate(NUMBERS, 2)}
COLOR_OF = {word: color for color, words in COLOR_WORDS.items() for word in words}
NAME_OF = {
    form: name
    for name, words in CLASS_WORDS.items()
    for word in words
    for form in (word, f"{word}s", f"{word}es")
}


def any_of(words: object) -> str:
    return "|".join(sorted(map(str, words), key=len, reverse=True))  # type: ignore[call-overload]


COUNT, COLOR, NOUN = (any_of(words) for words in (COUNTS, COLOR_OF, NAME_OF))
PHRASE = re.compile(
    rf"\b({COUNT}) (?:({COLOR})(?: colored)? ({NOUN})|({NOUN}) that (?:is|are) ({COLOR}))\b"
)
Said = Counter[tuple[str, str, int]]


def said_in(text: str) -> Said:
    """The colours, things and counts that a text names, read from its words."""
    return Counter(
        (COLOR_OF[before or after], NAME_OF[noun or other], COUNTS[count])
        for count, before, noun, other, after in PHRASE.findall(text)
    )


def drawn_things(rng: np.random.Generator) -> list[Thing]:
    """As scenes have them: few looks, so that some are there several times, some half hidden."""
    return [
        Thing(
            annotation_id=row + 1,
            name=str(rng.choice(CLASS_NAMES[:4])),
            color=str(rng.choice(COLOR_NAMES[:4])),
            x=float(rng.random()),
            depth_m=float(rng.uniform(0.5, 1.5)),
            area_px=float(rng.integers(20, 3000)),
            is_clear=bool(rng.random() < 0.7),
        )
        for row in range(int(rng.integers(0, 13)))
    ]


def each_picture(split: Split, pictures: int = 100) -> list[tuple[list[Thing], list[Caption]]]:
    rng = np.random.default_rng(4)
    drawn = [drawn_things(rng) for _ in range(pictures)]
    return [(things, captions_of(things, rng, split=split)) for things in drawn]


def true_counts(things: list[Thing]) -> Said:
    """What may be said: looks of which every thing is clearly in view, with their number."""
    looks = Counter((t.color, t.name) for t in things)
    hidden = {(t.color, t.name) for t in things if not t.is_clear}
    return Counter({(*look, n): 1 for look, n in looks.items() if look not in hidden})


def test_captions_name_what_is_clearly_there_and_count_it_right() -> None:
    kinds = Counter[str]()
    for things, captions in each_picture("val"):
        truth = true_counts(things)
        assert bool(truth) == any(c.annotation_id is None for c in captions)
        for caption in captions:
            kinds[caption.kind] += 1
            said = said_in(caption.text)
            assert said == Counter((g.color, g.name, g.count) for g in caption.named)
            assert said
            if caption.annotation_id is None:
                assert said <= truth, caption.text
    assert set(kinds) == {"list", "places", "relation", "reworded", "thing"}


def test_a_caption_of_a_thing_is_of_one_that_is_clearly_there() -> None:
    for things, captions in each_picture("train"):
        of_thing = {c.annotation_id: c for c in captions if c.annotation_id is not None}
        clear = {t.annotation_id: t for t in things if t.is_clear}
        assert of_thing.keys() == clear.keys()
        for annotation_id, caption in of_thing.items():
            thing = clear[annotation_id]
            assert said_in(caption.text) == Counter([(thing.color, thing.name, 1)])


def test_a_list_names_the_largest_five_at_most() -> None:
    for things, captions in each_picture("train"):
        for caption in captions:
            if caption.kind == "list":
                assert len(caption.named) == min(5, len(true_counts(things)))


def test_places_and_relations_are_where_they_are_said_to_be() -> None:
    sides = {
        "left": (0.0, 0.4),
        "right": (0.6, 1.0),
        "middle": (0.44, 0.56),
        "center": (0.44, 0.56),
    }
    seen = Counter[str]()
    for things, captions in each_picture("train"):
        by_look = {(t.color, t.name): t for t in things}
        for caption in captions:
            named = [by_look[group.color, group.name] for group in caption.named]
            if caption.kind == "places":
                places = re.findall(
                    r"(?:on the|to the|in the) (left|right|middle|center)", caption.text
                )
                assert len(places) == len(named)
                for place, thing in zip(places, named, strict=True):
                    assert sides[place][0] <= thing.x <= sides[place][1]
                    seen[place] += 1
            elif caption.kind == "relation":
                one, other = named
                (word,) = re.findall(r"left of|right of|in front of|behind", caption.text)
                seen[word] += 1
                assert {
                    "left of": one.x < other.x,
                    "right of": one.x > other.x,
                    "in front of": one.depth_m < other.depth_m,
                    "behind": one.depth_m > other.depth_m,
                }[word]
    assert set(seen) == {*sides, "left of", "right of", "in front of", "behind"}


@pytest.mark.parametrize("which", ["wrong_color", "wrong_thing"])
def test_a_swapped_word_makes_a_caption_wrong_and_changes_nothing_else(which: str) -> None:
    for things, captions in each_picture("val"):
        shown = {(t.color, t.name) for t in things}
        for caption in captions:
            wrong = getattr(caption, which)
            right, said = said_in(caption.text), said_in(wrong)
            ((old, _),) = (right - said).items()
            ((new, _),) = (said - right).items()
            assert (new[0], new[1]) not in shown
            assert old[2] == new[2]
            kept = {"wrong_color": 1, "wrong_thing": 0}[which]
            assert old[kept] == new[kept]


def words_of(split: Split) -> set[str]:
    captions = [c for _, of_picture in each_picture(split) for c in of_picture]
    return {word for c in captions for word in c.text.replace(",", "").split()}


def test_held_out_sentences_have_words_of_training() -> None:
    assert words_of("val") <= words_of("train")
    assert not any(c.kind == "reworded" for _, captions in each_picture("train") for c in captions)


def written_set(folder: Path) -> Path:
    """A set without pictures: one image of a clear mug, a half-hidden one, and a clear ball."""
    names = ("ball", "mug")
    rows = [("mug", "red", 0.9, 900, 0), ("mug", "blue", CLEAR_SHARE - 0.1, 900, 0),
            ("ball", "red", 0.9, CLEAR_PX - 1, 0), ("ball", "blue", 0.9, CLEAR_PX, 1),
            ("ball", "green", CLEAR_SHARE, CLEAR_PX, 0)]  # fmt: skip
    pose = [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0.8], [0, 0, 0, 1]]
    content = {
        "images": [{"id": 1, "width": 100, "height": 80, "seed": 5}],
        "annotations": [
            {
                "id": row + 1,
                "image_id": 1,
                "category_id": names.index(name) + 1,
                "bbox": [10, 10, 20, 20],
                "area": area,
                "iscrowd": crowd,
                "color": color,
                "visible_share": share,
                "camera_from_object": pose,
            }
            for row, (name, color, share, area, crowd) in enumerate(rows)
        ],
        "categories": [{"id": i + 1, "name": name} for i, name in enumerate(names)],
    }
    folder.mkdir(exist_ok=True)
    (folder / "annotations.json").write_text(json.dumps(content))
    (folder / "recipe.json").write_text(json.dumps({"split": "val"}))
    return folder


def test_nothing_hardly_visible_is_named(tmp_path: Path) -> None:
    content = json.loads((written_set(tmp_path) / "annotations.json").read_text())
    captions = with_captions(content, split="train")["captions"]
    named = {(color, name) for c in captions for color, name, _ in c["named"]}
    assert named == {("red", "mug"), ("green", "ball")}


def test_the_command_writes_the_same_captions_again_and_keeps_the_rest(tmp_path: Path) -> None:
    file = written_set(tmp_path) / "annotations.json"
    before = json.loads(file.read_text())
    for _ in range(2):
        result = CliRunner().invoke(app, ["scenes", "captions", str(tmp_path)])
        assert result.exit_code == 0, result.output
        found = json.loads(file.read_text())
        captions = found.pop("captions")
        assert found == before
        assert captions == with_captions(before, split="val")["captions"]
        assert [c["id"] for c in captions] == list(range(1, len(captions) + 1))


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("recipe.json", "{}", "names no split; expected one of train, val, test"),
        ("annotations.json", '{"images": []}', "cannot make captions of"),
        ("annotations.json", "[]", "cannot make captions of"),
    ],
)
def test_input_that_is_not_a_generated_set_is_refused(
    tmp_path: Path, name: str, text: str, expected: str
) -> None:
    (written_set(tmp_path) / name).write_text(text)
    result = CliRunner().invoke(app, ["scenes", "captions", str(tmp_path)])
    assert isinstance(result.exception, ConfigError)
    assert expected in str(result.exception)
