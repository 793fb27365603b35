"""Policies from pixels: which places speak for an action, what words look at and who at words."""

from typing import Any

import numpy as np
import pytest
import torch

from robot_vision.core.errors import ConfigError
from robot_vision.core.params import with_options
from robot_vision.explain.heat import ExplainError
from robot_vision.explain.opening.policy import Moment, camera_image, word_weights
from robot_vision.explain.opening.subject import subject_of
from robot_vision.explain.question import WAYS
from robot_vision.models.registry import MODELS
from robot_vision.models.weights import Weights

_WORDS = ("pick", "up", "the", "red", "block")


def moment(fusion: str, tmp_path: Any) -> Moment:
    """A tiny policy of fresh weights, before noise."""
    card = MODELS.get("pixel-policy")
    spec = with_options(
        card.tiny, {"fusion": {"name": fusion, "options": {"layers": 2}}}, of="test"
    )
    torch.manual_seed(0)
    model = card.build(spec)
    weights = Weights(
        file=tmp_path,
        tensors=model.state_dict(),
        model=card.name,
        spec=spec.model_dump(mode="json"),
    )
    subject = subject_of("tiny", card, weights, lambda given: camera_image(given, "front"))
    inputs = card.example(spec, 1)
    inputs["tokens"] = torch.arange(1, 6)[None]
    inputs["seen_front"] = torch.ones_like(inputs["seen_front"])
    return Moment(subject=subject, inputs=inputs, words=_WORDS)


@pytest.mark.parametrize("fusion", ["transformer", "cross_modal", "frozen_cross_attention"])
@pytest.mark.parametrize("way", ["attention", "rollout", "relevance"])
def test_the_readout_looks_at_places_of_the_newest_picture(
    fusion: str, way: str, tmp_path: Any
) -> None:
    question = moment(fusion, tmp_path).asked("action:1,2")
    assert "number 2 of step 1" in question.target.words
    assert WAYS.get(way).explain(question).values.shape == (2, 3)


def test_an_action_is_explained_in_the_encoder_and_by_hiding(tmp_path: Any) -> None:
    question = moment("transformer", tmp_path).asked()
    assert "sight.encoder" in WAYS.get("hires_cam").explain(question).about
    assert WAYS.get("occlusion").explain(question).values.min() >= 0


@pytest.mark.parametrize("fusion", ["transformer", "cross_modal"])
def test_words_look_at_places_and_places_at_words(fusion: str, tmp_path: Any) -> None:
    one = moment(fusion, tmp_path)
    red, block = (WAYS.get("attention").explain(one.asked(word=word)) for word in ("red", "block"))
    assert "the word 'red'" in red.about
    assert not np.allclose(red.values, block.values)
    found = word_weights(one.asked(), one.words)
    assert [word for word, _ in found] == list(_WORDS)
    assert sum(share for _, share in found) == pytest.approx(1)


def test_what_the_policy_does_not_have_is_said(tmp_path: Any) -> None:
    one = moment("frozen_cross_attention", tmp_path)
    with pytest.raises(ConfigError, match="camera 'rear': the policy has front"):
        one.asked(camera="rear")
    with pytest.raises(ConfigError, match="word 'green'"):
        one.asked(word="green")
    with pytest.raises(ExplainError, match="no tokens of words"):
        word_weights(one.asked(), one.words)
