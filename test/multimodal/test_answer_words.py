"""What an answer names, in the many ways in which models say it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot_vision.multimodal.words import (
    Mention,
    colors,
    mentions,
    number,
    plural,
    squeezed,
    yes_or_no,
)

NAMES = ("ball", "bottle", "mug", "person", "traffic light")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a red ball and two blue mugs", [("ball", "red"), ("mug", "blue")]),
        ("A crimson SPHERE beside a cup.", [("ball", "red"), ("mug", "")]),
        ("two balls that are green, a violet flask", [("ball", "green"), ("bottle", "purple")]),
        ("a pink colored mug", [("mug", "pink")]),
        ("- mug: white\n- ball (black)", [("mug", "white"), ("ball", "black")]),
        ("There is no red ball, but a bottle.", [("bottle", "")]),
        ("a red and blue scarf, a ball", [("ball", "")]),
        ("people at a traffic light", [("person", ""), ("traffic light", "")]),
        ("nothing of interest", []),
        ("footballs", []),
    ],
)
def test_things_and_their_colors(text: str, expected: list[tuple[str, str]]) -> None:
    assert mentions(text, NAMES) == [Mention(name=n, color=c) for n, c in expected]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("3", 3), ("There are two of them.", 2), ("None.", 0), ("many", None), ("12 or 13", 12)],
)
def test_numbers(text: str, expected: int | None) -> None:
    assert number(text) == expected


def test_short_answers() -> None:
    assert colors("Red, or rather crimson; not blue") == ["red", "blue"]
    assert yes_or_no("Yes, there is no doubt") == "yes"
    assert yes_or_no("I cannot tell") == ""
    assert squeezed("“Pump-42”.") == "PUMP42"
    assert [plural(noun) for noun in ("mug", "box", "person")] == ["mugs", "boxes", "people"]


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    assert all(mention.name in NAMES for mention in mentions(text, NAMES))
    assert number(text) is None or number(text) >= 0  # pyright: ignore[reportOptionalOperand]
    assert yes_or_no(text) in ("", "yes", "no")
