"""Words for tasks: templates, synonyms, word order, polite forms. Lower case, no punctuation.

Held-out phrases use only words of training phrases, in other combinations: a sentence that
training never shows, or a verb and an object's name that training never shows together.
"""

import re
import zlib
from collections.abc import Iterable

import numpy as np

from robot_vision.simulation.robot.work.task import Kind, Named, Task

CLASS_WORDS: dict[str, tuple[str, ...]] = {
    "ball": ("ball", "sphere"),
    "banana": ("banana",),
    "block": ("block", "cube"),
    "bottle": ("bottle", "flask"),
    "bowl": ("bowl", "basin"),
    "box": ("box", "carton", "package"),
    "can": ("can", "tin"),
    "mug": ("mug", "cup"),
    "plate": ("plate", "dish", "saucer"),
    "tool": ("tool", "implement"),
}
COLOR_WORDS: dict[str, tuple[str, ...]] = {
    "red": ("red", "crimson"),
    "orange": ("orange",),
    "yellow": ("yellow",),
    "green": ("green",),
    "blue": ("blue",),
    "purple": ("purple", "violet"),
    "pink": ("pink", "rosy"),
    "brown": ("brown",),
    "white": ("white",),
    "black": ("black",),
}
RELATION_WORDS = {"in": ("in", "into", "inside"), "on": ("on", "onto", "on top of")}
DIRECTION_WORDS = {
    "left": ("left", "to the left", "leftwards", "over to the left"),
    "right": ("right", "to the right", "rightwards", "over to the right"),
    "towards": ("towards me", "toward me", "closer to me", "in my direction"),
}
_NOUNS = (
    "the {color} {name}",
    "the {color} {name}",
    "the {color} {name}",
    "that {color} {name}",
    "the {name} that is {color}",
    "the {color} colored {name}",
)
_HELD_OUT_NOUNS = ("that {name} that is {color}", "that {color} colored {name}")
_POLITE = (
    "{what}",
    "{what}",
    "{what}",
    "please {what}",
    "{what} please",
    "could you {what}",
    "can you {what} please",
    "would you {what}",
    "i want you to {what}",
    "you should {what}",
    "robot {what}",
    "now {what}",
)
_HELD_OUT_POLITE = ("would you please {what}", "could you {what} now", "please {what} robot")
_TRAINED: dict[Kind, tuple[str, ...]] = {
    "pick": (
        "pick up {target}",
        "pick {target} up",
        "grab {target}",
        "grasp {target}",
        "lift {target}",
        "lift {target} up",
        "lift up {target}",
        "take {target}",
        "get {target}",
        "fetch {target}",
        "raise {target}",
        "take hold of {target}",
        "grab {target} and lift it",
        "pick {target} off the table",
    ),
    "put": (
        "put {target} {relation} {destination}",
        "place {target} {relation} {destination}",
        "set {target} {relation} {destination}",
        "drop {target} {relation} {destination}",
        "lay {target} {relation} {destination}",
        "move {target} {relation} {destination}",
        "pick up {target} and put it {relation} {destination}",
        "take {target} and place it {relation} {destination}",
        "get {target} and set it {relation} {destination}",
        "lift {target} and lay it {relation} {destination}",
        "{relation} {destination} put {target}",
        "make {target} go {relation} {destination}",
        "let {target} rest {relation} {destination}",
        "bring {target} over and drop it {relation} {destination}",
    ),
    "push": (
        "push {target} {direction}",
        "shove {target} {direction}",
        "slide {target} {direction}",
        "nudge {target} {direction}",
        "move {target} {direction}",
        "shift {target} {direction}",
        "press {target} {direction}",
        "bring {target} {direction}",
        "give {target} a push {direction}",
        "give {target} a nudge {direction}",
        "make {target} go {direction}",
        "make {target} slide {direction}",
        "push {target} so that it goes {direction}",
        "shove {target} so that it moves {direction}",
    ),
}
_HELD_OUT: dict[Kind, tuple[str, ...]] = {
    "pick": (
        "grab hold of {target}",
        "take {target} and lift it up",
        "lift {target} off the table",
        "get {target} off the table",
    ),
    "put": (
        "grab {target} and drop it {relation} {destination}",
        "{relation} {destination} place {target}",
        "pick {target} up and set it {relation} {destination}",
        "make {target} rest {relation} {destination}",
    ),
    "push": (
        "give {target} a shove {direction}",
        "slide {target} so that it moves {direction}",
        "make {target} move {direction}",
        "nudge {target} so that it goes {direction}",
    ),
}
_HELD_OUT_EVERY = 6  # one in this many pairs of a sentence and an object's name is held out


def instruct(task: Task, rng: np.random.Generator, *, held_out: bool = False) -> str:
    """An instruction for a task: one that training may show, or a held-out one."""
    while True:
        phrase, is_kept = _draw(task, rng, held_out)
        if is_kept == held_out:
            return phrase


def _draw(task: Task, rng: np.random.Generator, held_out: bool) -> tuple[str, bool]:
    """A phrase, and whether it is held out."""
    pools = [(_TRAINED[task.kind], _HELD_OUT[task.kind]), (_NOUNS, _HELD_OUT_NOUNS),
             (_POLITE, _HELD_OUT_POLITE)]  # fmt: skip
    chosen, kept = [], False
    for share, (trained, reserved) in zip((0.6, 0.25, 0.25), pools, strict=True):
        reserve = held_out and rng.random() < share
        chosen.append(_pick(reserved if reserve else trained, rng))
        kept |= reserve
    sentence, noun, polite = chosen
    name = _pick(CLASS_WORDS[task.target.class_name], rng)
    kept |= _is_kept_pair(sentence, name)
    words = {"target": _noun(noun, task.target, name, rng)}
    if task.destination is not None:
        name = _pick(CLASS_WORDS[task.destination.class_name], rng)
        words["destination"] = _noun(_pick(_NOUNS, rng), task.destination, name, rng)
    if task.relation is not None:
        words["relation"] = _pick(RELATION_WORDS[task.relation], rng)
    if task.direction is not None:
        words["direction"] = _pick(DIRECTION_WORDS[task.direction], rng)
    return polite.format(what=sentence.format(**words)), kept


def all_words() -> tuple[str, ...]:
    """Every word used in instructions, sorted."""
    texts: list[str] = [*_NOUNS, *_HELD_OUT_NOUNS, *_POLITE, *_HELD_OUT_POLITE]
    for table in (_TRAINED, _HELD_OUT, CLASS_WORDS, COLOR_WORDS, RELATION_WORDS, DIRECTION_WORDS):
        for choices in table.values():
            texts += choices
    return tuple(sorted(words_of(re.sub(r"{\w+}", " ", text) for text in texts)))


def words_of(texts: Iterable[str]) -> set[str]:
    """The set of words in some texts."""
    return {word for text in texts for word in text.split()}


def _noun(template: str, thing: Named, name: str, rng: np.random.Generator) -> str:
    return template.format(color=_pick(COLOR_WORDS[thing.color_name], rng), name=name)


def _is_kept_pair(sentence: str, name: str) -> bool:
    """Whether training never shows this sentence with this object name."""
    return zlib.crc32(f"{sentence}|{name}".encode()) % _HELD_OUT_EVERY == 0


def _pick(choices: tuple[str, ...], rng: np.random.Generator) -> str:
    # cheaper than rng.choice, which would build an array of strings
    return choices[int(rng.integers(len(choices)))]
