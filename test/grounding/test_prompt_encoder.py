"""A prompt becomes inputs of a model, once; what cannot be looked for is named."""

from pathlib import Path

import numpy as np
import pytest
from grounding_bundle import CODES, PHRASES, TOKENS, grounding_bundle

from robot_vision.core.errors import BundleError
from robot_vision.grounding.prompt_encoder import PromptEncoder, split_phrases
from robot_vision.model_store.store import find_bundle


@pytest.fixture(params=[False, True], ids=["vocabulary", "tokenizer"])
def bundle(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return grounding_bundle(tmp_path / "words", with_tokenizer=request.param)


@pytest.mark.parametrize(
    ("text", "phrases"),
    [
        ("", []),
        (" , ,", []),
        ("the red  mug", ["the red mug"]),
        ("red, blue ,red", ["red", "blue"]),
    ],
)
def test_phrases_are_separated_by_commas(text: str, phrases: list[str]) -> None:
    assert split_phrases(text) == phrases


def test_each_phrase_is_encoded_in_its_place(bundle: Path) -> None:
    encoded = PromptEncoder(find_bundle(bundle)).encode("red thing, blue")
    assert encoded.prompt.sought == ("red thing", "blue")
    prompt, mask = encoded.inputs["prompt"], encoded.inputs["prompt_mask"]
    assert prompt.shape[:3] == mask.shape
    sums = (prompt * mask[..., None]).sum(axis=2)[0]
    assert sums.tolist() == [list(CODES["red"]), list(CODES["blue"]), [0, 0, 0]]
    assert not mask[0, 2].any()


def test_unknown_words_are_named_and_cost_no_other_phrase(bundle: Path) -> None:
    prompt = PromptEncoder(find_bundle(bundle)).encode("red unicorn, green").prompt
    assert prompt.sought == ("green",)
    assert prompt.phrases[0].unknown_words == ("unicorn",)
    assert "'unicorn'" in prompt.problems[0] or '"unicorn"' in prompt.problems[0]


def test_nothing_is_asked_by_an_empty_prompt(bundle: Path) -> None:
    encoded = PromptEncoder(find_bundle(bundle)).encode("")
    assert encoded.prompt.phrases == ()
    assert not encoded.inputs["prompt_mask"].any()


def test_phrases_beyond_the_most_are_left_out_and_named(bundle: Path) -> None:
    prompt = PromptEncoder(find_bundle(bundle)).encode("red, green, blue, red thing").prompt
    assert len(prompt.sought) == PHRASES
    assert "red thing" in prompt.problems[0]
    assert f"{PHRASES} phrases" in prompt.problems[0]


def test_a_phrase_that_is_too_long_has_a_problem(bundle: Path) -> None:
    prompt = PromptEncoder(find_bundle(bundle)).encode(f"{'red ' * 20}, blue").prompt
    assert prompt.sought == ("blue",)
    assert "at most" in prompt.problems[0]


def test_words_of_no_meaning_name_nothing(tmp_path: Path) -> None:
    bundle = grounding_bundle(tmp_path / "words")
    prompt = PromptEncoder(find_bundle(bundle)).encode("the, red").prompt
    assert prompt.sought == ("red",)
    assert "names nothing" in prompt.problems[0]


def test_networks_that_do_not_fit_the_manifest_are_refused(tmp_path: Path) -> None:
    bundle = grounding_bundle(tmp_path / "words", width=7)
    with pytest.raises(BundleError, match="expected 4 encodings of 7 numbers"):
        PromptEncoder(find_bundle(bundle))


def test_a_changed_tokenizer_is_not_part_of_the_bundle(tmp_path: Path) -> None:
    bundle = grounding_bundle(tmp_path / "words", with_tokenizer=True)
    file = bundle / "tokenizer.json"
    file.write_text(file.read_text() + " ")
    with pytest.raises(BundleError, match=r"tokenizer\.json is damaged or was replaced"):
        find_bundle(bundle)


def test_encodings_are_zero_where_nothing_is(tmp_path: Path) -> None:
    encoded = PromptEncoder(find_bundle(grounding_bundle(tmp_path / "words"))).encode("red")
    assert not np.any(encoded.inputs["prompt"][~encoded.inputs["prompt_mask"]])


def test_a_phrase_of_more_words_than_the_model_takes_has_a_problem(tmp_path: Path) -> None:
    file = grounding_bundle(tmp_path / "words") / "model.yaml"
    file.write_text(file.read_text().replace(f"tokens: {TOKENS}", "tokens: 2"))
    prompt = PromptEncoder(find_bundle(file.parent)).encode("red thing red, blue").prompt
    assert prompt.sought == ("blue",)
    assert prompt.problems == ("3 tokens in 'red thing red'; expected 2 at most",)


@pytest.mark.parametrize("text", ["'", '"red"', "!?", "\x00", "红色的杯子", "red\nblue", "🔴"])
def test_any_text_is_a_prompt(bundle: Path, text: str) -> None:
    """What cannot be read has a problem; nothing raises."""
    prompt = PromptEncoder(find_bundle(bundle)).encode(f"{text}, green").prompt
    assert "green" in prompt.sought
    assert len(prompt.phrases) == 2
