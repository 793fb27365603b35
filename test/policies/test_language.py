"""Words become tokens; words that cannot be followed are told of in words."""

import numpy as np
import pytest

from robot_vision.core.vocabulary import Vocabulary
from robot_vision.policies.language import padded, split_words, tokenise

VOCABULARY = Vocabulary(
    words=("pick", "up", "the", "red", "mug", "lift", "please", "cup"),
    things=("mug", "cup"),
    actions=("pick", "lift"),
    max_words=6,
)


@pytest.mark.parametrize(
    "text", ["Pick up the red mug", "pick up the RED mug!", "  pick up, the red-mug. "]
)
def test_case_and_punctuation_do_not_matter(text: str) -> None:
    found = tokenise(text, VOCABULARY)
    assert found.tokens.tolist() == [1, 2, 3, 4, 5]
    assert (found.problem, found.unknown_words) == ("", ())


def test_an_unknown_word_of_content_is_named_and_refused() -> None:
    found = tokenise("pick up the red gizmo", VOCABULARY)
    assert found.unknown_words == ("gizmo",)
    assert "'gizmo'" in found.problem
    assert "'mug', 'cup'" in found.problem


def test_an_empty_word_that_is_unknown_is_reported_and_left_out() -> None:
    found = tokenise("could you lift a mug", VOCABULARY)
    assert found.problem == ""
    assert found.unknown_words == ("could", "you", "a")
    assert found.tokens.tolist() == [6, 5]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no instruction"),
        ("  ?! ", "no instruction"),
        ("pick up the red", "names no thing"),
        ("the red mug", "says not what to do"),
        ("don't lift the mug", 'unknown word "don\'t"'),
        ("pick up the red mug lift mug mug", "8 words; expected 6"),
    ],
)
def test_what_cannot_be_followed_says_why(text: str, why: str) -> None:
    assert why in tokenise(text, VOCABULARY).problem


def test_words_are_split_at_anything_but_letters_digits_and_inner_apostrophes() -> None:
    assert split_words("Don’t -- pick_up: 'it', O'Brien") == [
        "don't",
        "pick",
        "up",
        "it",
        "o'brien",
    ]


def test_padding_fills_up() -> None:
    assert padded(np.array([3, 1]), 4).tolist() == [3, 1, 0, 0]
