"""Policies from pixels: which places speak for an action, what words look at and who at words."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from pixel_exports import PLACES, SEEN

from robot_vision.core.errors import ConfigError
from robot_vision.core.manifests.action_spec import ACTION_NAMES
from robot_vision.core.parameters.params import with_options
from robot_vision.explain.filling import hidden, mean_color
from robot_vision.explain.heat import ExplainError, checked
from robot_vision.explain.opening.policy import Moment, camera_image, word_weights
from robot_vision.explain.opening.subject import subject_of
from robot_vision.explain.question import WAYS
from robot_vision.explain.targets import ActionTarget
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
    assert "2 of step 1" in question.target.words
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


def test_numbers_of_an_action_have_names_and_the_gripper_is_not_the_usual_one(
    tmp_path: Any,
) -> None:
    one = moment("transformer", tmp_path)
    named = replace(one, subject=replace(one.subject, classes=ACTION_NAMES))
    assert "z of step 1" in named.asked("action:1,z").target.words
    assert "z of step 0" in named.asked("action:z").target.words
    action = named.subject.run(named.inputs)["action"].detach()
    usual = named.asked().target
    assert isinstance(usual, ActionTarget)
    assert usual.number == int(action[0, 0, :3].abs().argmax())
    with pytest.raises(ConfigError, match="expected one of x, y, z, rx, ry, rz, gripper"):
        named.asked("action:0,knee")
    with pytest.raises(ConfigError, match="NAME or STEP,NAME"):
        named.asked("action:a,b,c")


def test_depth_is_hidden_with_the_picture(tmp_path: Any) -> None:
    question = moment("transformer", tmp_path).asked()
    inputs = dict(question.inputs) | {
        "depth_front": torch.ones_like(question.inputs["depth_front"])
    }
    question = replace(question, inputs=inputs)
    height, width = question.size
    mask = torch.zeros(1, height, width, dtype=torch.bool)
    mask[0, :2, :3] = True
    found = hidden(question, mask, mean_color(inputs[question.picture], question))
    newest = found["depth_front"][0, -1]
    assert float(newest[:2, :3].abs().sum()) == 0
    assert float(newest.sum()) == height * width - 6
    assert bool((found["depth_front"][0, :-1] == 1).all())


def test_a_map_goes_on_where_the_network_pads_the_picture() -> None:
    values = np.zeros((2, 4), np.float32)
    values[:, 3] = 1  # of 64 px, of which the picture has 48
    heat = checked(values, about="padded", empty="", margin_px=(0, 16))
    shown = heat.at_size(width_px=48, height_px=32)
    assert shown.shape == (32, 48)
    assert shown[:, :32].max() < 0.1 * shown.max()
    assert shown[0, 47] == shown.max()


def test_pointing_lies_where_its_places_are(tmp_path: Any) -> None:
    card = MODELS.get("pixel-policy")
    spec = card.tiny.model_validate(card.tiny.model_dump() | {"observation": SEEN, **PLACES})
    torch.manual_seed(0)
    model = card.build(spec).eval()
    weights = Weights(
        file=tmp_path,
        tensors=model.state_dict(),
        model=card.name,
        spec=spec.model_dump(mode="json"),
    )
    subject = subject_of("points", card, weights, lambda given: camera_image(given, "front"))
    inputs = card.example(spec, 1)
    inputs["seen_front"] = torch.ones_like(inputs["seen_front"])
    inputs["depth_seen_front"] = torch.ones_like(inputs["depth_seen_front"])
    # Only what is measured can be pointed at: the left third of the picture.
    inputs["depth_front"] = torch.ones_like(inputs["depth_front"])
    inputs["depth_front"][..., 16:] = 0
    question = Moment(subject=subject, inputs=inputs, words=()).asked()
    heat = WAYS.get("pointing").explain(question)
    shown = heat.at_size(width_px=48, height_px=32)
    assert heat.values.shape == (2 * spec.grid_rows, 2 * spec.grid_columns)
    assert shown[:, 32:].sum() < 0.02 * shown.sum()
    with pytest.raises(ExplainError, match="it points in front"):
        WAYS.get("pointing").explain(
            Moment(subject=subject, inputs=inputs, words=()).asked(camera="wrist")
        )
    with pytest.raises(ExplainError, match=r"only policies with spec\.pointing"):
        WAYS.get("pointing").explain(moment("transformer", tmp_path).asked())
