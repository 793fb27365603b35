"""Compares the objects named in an answer with those in the picture."""

from collections import Counter
from collections.abc import Iterable, Sequence

from robot_vision.multimodal.pictures import Thing, Truth
from robot_vision.multimodal.question import Question, Verdict
from robot_vision.multimodal.words import Mention, article, mentions

_HALF = 0.5  # for the object, and as much for its colour
_MOST_TOLD = 6


def compare_named(truth: Truth, said: str, *, most_wanted: int, with_colors: bool) -> Verdict:
    """F1 of the objects named in an answer; with colours, these count for half of each object.

    The `most_wanted` largest objects clearly in view are expected; naming others that are present,
    including half-hidden ones, is not an error.
    """
    named = list(dict.fromkeys(mentions(said, truth.names)))
    wanted = _looks([thing for thing in truth.things if thing.is_clear], with_colors)[:most_wanted]
    there = _looks(truth.things, with_colors)
    right = [_credit(mention, there, with_colors) for mention in named]
    met = [max((_met(look, m, with_colors) for m in named), default=0.0) for look in wanted]
    if not wanted:
        score = sum(right) / len(right) if right else 1.0
    else:
        precision = sum(right) / len(right) if right else 0.0
        recall = sum(met) / len(met)
        score = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    missed = [_words(look) for look, credit in zip(wanted, met, strict=True) if credit < 1]
    wrong = [_words(mention) for mention, credit in zip(named, right, strict=True) if credit < 1]
    return Verdict(score=score, why=_why(missed, wrong))


def commonest(questions: Sequence[Question], *, with_colors: bool) -> list[Mention]:
    """The objects that most pictures clearly show, the commonest first."""
    count: Counter[Mention] = Counter()
    for question in questions:
        if question.picture.truth:
            clear = [thing for thing in question.picture.truth.things if thing.is_clear]
            count.update(_looks(clear, with_colors))
    return [look for look, _ in count.most_common()]


def in_words(things: Iterable[Mention]) -> str:
    """`a red ball, a blue mug`; empty for nothing."""
    return ", ".join(f"{article(_words(thing))} {_words(thing)}" for thing in things)


def _looks(things: Iterable[Thing], with_colors: bool) -> list[Mention]:
    """Names and colours of objects, each once."""
    found = [Mention(name=t.name, color=t.color if with_colors else "") for t in things]
    return list(dict.fromkeys(found))


def _credit(mention: Mention, there: Sequence[Mention], with_colors: bool) -> float:
    return max((_met(look, mention, with_colors) for look in there), default=0.0)


def _met(look: Mention, mention: Mention, with_colors: bool) -> float:
    if look.name != mention.name:
        return 0.0
    return 1.0 if not with_colors or look.color == mention.color else _HALF


def _words(thing: Mention) -> str:
    return f"{thing.color} {thing.name}".strip()


def _why(missed: list[str], wrong: list[str]) -> str:
    parts = []
    for what, things in (("not named", missed), ("wrong", wrong)):
        if things:
            more = f" and {len(things) - _MOST_TOLD} more" if len(things) > _MOST_TOLD else ""
            parts.append(f"{what}: {', '.join(things[:_MOST_TOLD])}{more}")
    return "; ".join(parts)
