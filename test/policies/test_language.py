"""Words become tokens; words that cannot be followed are reported."""

import numpy as np
import pytest

from robot_vision.core.manifests.vocabulary import Vocabulary
from robot_vision.policies.language.vocabulary import padded, split_words, tokenise

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


@pytest.mark.parametrize("thing", ["can", "well", "will", "robot", "like", "need", "tin can"])
@pytest.mark.parametrize(
    "asked", ["pick up the {}", "can you pick up the {} please", "robot, lift that {} over there"]
)
def test_a_thing_that_is_named_as_polite_words_are_is_not_an_empty_word(
    asked: str, thing: str
) -> None:
    """The policy must not go for whatever there is when its vocabulary lacks the thing."""
    problem = tokenise(asked.format(thing), VOCABULARY.model_copy(update={"things": ()})).problem
    assert f"{thing.split()[-1]!r}; known words" in problem
    assert tokenise(asked.format("red mug"), VOCABULARY).problem == ""


@pytest.mark.parametrize(
    "text", ["lift the mug over the cup", "lift the cup to me", "lift like a mug"]
)
def test_a_word_that_says_where_or_how_is_not_an_empty_word(text: str) -> None:
    assert tokenise(text, VOCABULARY).problem.startswith("unknown word")


@pytest.mark.parametrize(
    "text",
    [
        "Okay robot, would you kindly lift the cup for me?",
        "well, I'd like you to pick up the mug",
        "now I want you to just lift the mug, thanks robot",
        "you should go and lift that cup",
        "Go ahead and pick the mug up. Thank you!",
    ],
)
def test_polite_words_change_nothing(text: str) -> None:
    known = VOCABULARY.model_copy(update={"max_words": 24})
    assert tokenise(text, known).problem == ""


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no instruction"),
        ("  ?! ", "no instruction"),
        ("pick up the red", "names no thing"),
        ("the red mug", "does not say what to do"),
        ("don't lift the mug", 'unknown word "don\'t"'),
        ("pick up the red mug lift mug mug", "8 words; expected at most 6"),
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


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("लाल कप उठाओ", ["लाल", "कप", "उठाओ"]),
        ("cafe\u0301, au-lait", ["café", "au", "lait"]),
        ("ยกถ้วย", ["ยกถ้วย"]),
        ("می\u200cخواهم", ["می\u200cخواهم"]),
        ("拿起 红色的杯子", ["拿起", "红色的杯子"]),
        ("❤\ufe0f\0go", ["go"]),
    ],
)
def test_words_of_any_script_keep_their_letters(text: str, words: list[str]) -> None:
    assert split_words(text) == words


def test_padding_fills_up() -> None:
    assert padded(np.array([3, 1]), 4).tolist() == [3, 1, 0, 0]
