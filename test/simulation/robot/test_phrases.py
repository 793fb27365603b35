import subprocess
import sys

import numpy as np
import pytest

from robot_vision.simulation.content.palette import CLASS_NAMES, COLOR_NAMES
from robot_vision.simulation.robot.work.phrases import (
    CLASS_WORDS,
    COLOR_WORDS,
    all_words,
    instruct,
)
from robot_vision.simulation.robot.work.task import DIRECTIONS, KINDS, Kind, Named, Task


def draw_task(kind: Kind, rng: np.random.Generator) -> Task:
    target = Named(
        color_name=str(rng.choice(COLOR_NAMES)), class_name=str(rng.choice(CLASS_NAMES))
    )
    if kind == "put":
        bowl = Named(color_name="blue", class_name="bowl")
        relation = "in" if rng.random() < 0.5 else "on"
        return Task(kind=kind, target=target, destination=bowl, relation=relation)
    if kind == "push":
        direction = list(DIRECTIONS)[int(rng.integers(3))]
        return Task(kind=kind, target=target, direction=direction)
    return Task(kind=kind, target=target)


def phrases(kind: Kind, *, count: int, held_out: bool = False, seed: int = 0) -> list[str]:
    rng = np.random.default_rng(seed)
    return [instruct(draw_task(kind, rng), rng, held_out=held_out) for _ in range(count)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("held_out", [False, True])
def test_phrases_are_made_of_the_vocabulary(kind: Kind, held_out: bool) -> None:
    vocabulary = set(all_words())
    for text in phrases(kind, count=500, held_out=held_out):
        assert set(text.split()) <= vocabulary
        assert text == text.lower().strip()


def test_held_out_phrases_use_no_word_that_training_never_shows() -> None:
    shown = {w for k in KINDS for text in phrases(k, count=3000) for w in text.split()}
    assert shown == set(all_words())


@pytest.mark.parametrize("kind", KINDS)
def test_held_out_phrases_are_not_shown_in_training(kind: Kind) -> None:
    rng = np.random.default_rng(1)
    mug = Named(color_name="red", class_name="mug")
    task = Task(
        kind=kind,
        target=mug,
        destination=Named(color_name="blue", class_name="plate") if kind == "put" else None,
        relation="on" if kind == "put" else None,
        direction="left" if kind == "push" else None,
    )
    trained = {instruct(task, rng) for _ in range(8000)}
    kept = {instruct(task, rng, held_out=True) for _ in range(2000)}
    assert len(trained) > 300
    assert len(kept) > 100
    assert not trained & kept


@pytest.mark.parametrize("kind", KINDS)
def test_a_phrase_names_class_and_color(kind: Kind) -> None:
    rng = np.random.default_rng(2)
    for _ in range(300):
        task = draw_task(kind, rng)
        words = set(instruct(task, rng).split())
        assert words & set(CLASS_WORDS[task.target.class_name])
        assert words & set(COLOR_WORDS[task.target.color_name])


def test_no_word_stands_for_two_classes_or_two_colors() -> None:
    for table in (CLASS_WORDS, COLOR_WORDS):
        words = [word for choices in table.values() for word in choices]
        assert len(words) == len(set(words))
    assert set(CLASS_WORDS) == set(CLASS_NAMES)
    assert set(COLOR_WORDS) == set(COLOR_NAMES)


def test_words_need_no_physics() -> None:
    code = "import sys, robot_vision.simulation.robot.work.phrases; print('mujoco' in sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "False"
