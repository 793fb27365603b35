"""Ways of explaining, on networks whose reasons are known and on every model of pictures."""

from dataclasses import replace
from typing import Any, get_args

import numpy as np
import pytest
import torch
from explained import BLUE, RED, SIDE_PX, color_subject, mask_of, two_squares

from robot_vision.console.why_schema import WayName
from robot_vision.core.errors import ConfigError
from robot_vision.core.parameters.params import with_options
from robot_vision.explain.answer import answered, usual_ways
from robot_vision.explain.asking import ask
from robot_vision.explain.heat import ExplainError, Heat, checked, energy_inside
from robot_vision.explain.measuring.curves import cells_of, curves
from robot_vision.explain.measuring.judged import check
from robot_vision.explain.network.attention_tap import watched
from robot_vision.explain.opening.subject import Subject, fresh_subject
from robot_vision.explain.question import WAYS, Question
from robot_vision.models.card import Size
from robot_vision.models.classification.classifier import ClassifierSpec
from robot_vision.models.encoders.encoder import EncoderChoice
from robot_vision.models.encoders.vit import ViT
from robot_vision.models.registry import MODELS

_TINY_VIT = {"width": 16, "heads": 2, "depth": 3, "grid": (3, 2), "patch_px": 8}


def test_the_console_knows_every_way() -> None:
    assert set(get_args(WayName)) == set(WAYS)


def in_view(heat: Heat, question: Question) -> np.ndarray:
    height, width = question.size
    return heat.in_view(question.placement, width_px=width, height_px=height)


@pytest.mark.parametrize("way", ["grad_cam", "hires_cam", "occlusion", "integrated_gradients"])
@pytest.mark.parametrize(("name", "square"), [("red", RED), ("blue", BLUE)])
def test_a_map_lies_where_the_reason_is(way: str, name: str, square: Any) -> None:
    if way == "integrated_gradients":
        pytest.importorskip("captum")
    question = ask(color_subject(), two_squares(), f"class:{name}")
    heat = WAYS.get(way).explain(question)
    assert energy_inside(in_view(heat, question), mask_of(square)) > 0.6
    other = BLUE if square is RED else RED
    assert energy_inside(in_view(heat, question), mask_of(other)) < 0.02


def test_occlusion_lies_on_its_reason_at_every_edge() -> None:
    """Windows of 53 px, 26 px apart, do not end where 320 rows do."""
    rgb = np.full((320, 416, 3), 90, np.uint8)
    rgb[270:310, 180:220] = (250, 20, 20)
    question = ask(color_subject(width_px=416, height_px=320), rgb, "class:red")
    heat = in_view(WAYS.get("occlusion").explain(question), question)
    across, down = heat.sum(axis=0), heat.sum(axis=1)
    assert (down * (np.arange(320) + 0.5)).sum() / down.sum() == pytest.approx(290, abs=4)
    assert (across * (np.arange(416) + 0.5)).sum() / across.sum() == pytest.approx(200, abs=4)


def test_a_faithful_map_passes_its_check_and_another_is_refused() -> None:
    question = ask(color_subject(), two_squares(), "class:red")
    assert "deletion area" in check(WAYS.get("grad_cam").explain(question), question)
    wrong = Heat(values=mask_of(BLUE).astype(np.float32), about="the other square")
    with pytest.raises(ExplainError, match="the other square fails its check"):
        check(wrong, question)


def test_the_answer_goes_where_what_matters_is_hidden_first() -> None:
    question = ask(color_subject(), two_squares(), "class:red")
    right = Heat(values=mask_of(RED).astype(np.float32), about="right")
    wrong = Heat(values=1 - mask_of(RED).astype(np.float32), about="wrong")
    good, bad = (curves(question, cells_of(one, question)) for one in (right, wrong))
    assert good.deletion[0] == pytest.approx(1)
    assert bad.deletion[0] == pytest.approx(1)
    assert good.deletion_area < bad.deletion_area - 0.2
    assert good.insertion_area > bad.insertion_area + 0.1


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.zeros((4, 4)), "is empty: because"),
        (np.full((4, 4), 3.0), "same everywhere"),
        (np.full((4, 4), np.nan), "not finite"),
        (np.ones((1, 1)), "a single cell"),
    ],
)
def test_a_map_that_says_nothing_is_refused(values: np.ndarray, words: str) -> None:
    with pytest.raises(ExplainError, match=words):
        checked(values, about="layer x", empty="because")


def vit_subject(pooling: str = "class") -> Subject:
    encoder = EncoderChoice(name="vit-ti16", options={**_TINY_VIT, "pooling": pooling})
    spec = with_options(ClassifierSpec(), {"encoder": encoder, "classes": 3}, of="test")
    size = Size(width_px=64, height_px=48)
    return fresh_subject(MODELS.get("classifier"), spec, size=size)


def noise(height_px: int = 48, width_px: int = 64) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height_px, width_px, 3), np.uint8)


def test_the_last_norm_of_a_vit_is_refused_and_the_one_before_its_attention_is_chosen() -> None:
    question = ask(vit_subject(), noise(), "class")
    with pytest.raises(ExplainError, match=r"no gradient of .* reaches the places of layer"):
        WAYS.get("grad_cam").explain(replace(question, layer="encoder.net.norm"))
    chosen = WAYS.get("hires_cam").explain(question)
    assert chosen.about == "layer encoder.net.blocks.2.attention_norm"
    assert chosen.values.shape == (6, 8)


def test_the_last_norm_is_read_where_patches_are_pooled() -> None:
    question = ask(vit_subject("mean"), noise(), "class")
    assert WAYS.get("hires_cam").explain(question).about == "layer encoder.net.norm"


def test_attention_is_read_while_it_is_fused_and_the_answer_stays_the_same() -> None:
    subject = vit_subject()
    inputs, _ = subject.prepared(noise())
    with torch.no_grad():
        before = subject.run(inputs)["output"]
        with watched(subject.network(wanted_for="a test")) as found:
            after = subject.run(inputs)["output"]
    torch.testing.assert_close(before, after)
    vit = next(m for m in subject.network(wanted_for="a test").modules() if isinstance(m, ViT))
    encoder = subject.network(wanted_for="a test").get_submodule("encoder")
    maps = vit.attention_maps(encoder.prepared(inputs["rgb"]))  # pyright: ignore[reportCallIssue]
    assert [one.layer for one in found] == [f"encoder.net.blocks.{n}.attention" for n in range(3)]
    for one, expected in zip(found, maps, strict=True):
        torch.testing.assert_close(one.weights, expected)


def test_rollout_is_the_product_of_the_layers() -> None:
    question = ask(vit_subject(), noise(), "class")
    heat = WAYS.get("rollout").explain(question)
    with watched(question.subject.network(wanted_for="a test")) as found, torch.no_grad():
        question.subject.run(question.inputs)
    product = torch.eye(49)
    for one in found:
        product = (torch.eye(49) + one.weights[0].mean(dim=0)) / 2 @ product
    np.testing.assert_allclose(heat.values, product[0, 1:].reshape(6, 8).numpy(), rtol=1e-4)
    assert "the class token" in heat.about


def test_a_network_without_attention_says_so() -> None:
    question = ask(color_subject(), two_squares(), "class:red")
    with pytest.raises(ExplainError, match="runs no attention that can be read"):
        WAYS.get("rollout").explain(question)


def test_a_layer_without_places_is_named_with_those_that_have_some() -> None:
    question = ask(color_subject(), two_squares(), "class:red")
    words = r"layer 'head' has no places .* are cells, active"
    with pytest.raises(ExplainError, match=words):
        WAYS.get("grad_cam").explain(replace(question, layer="head"))


def test_boxes_of_a_detr_are_explained_by_their_queries() -> None:
    card = MODELS.get("detr")
    subject = fresh_subject(card, card.tiny, size=Size(width_px=96, height_px=64))
    question = ask(subject, noise(64, 96), "box")
    for way in ("attention", "relevance", "rollout"):
        assert WAYS.get(way).explain(question).values.shape == (2, 3)


@pytest.mark.parametrize("target", ["class:green", "box", "action", "nonsense:1", "class:7"])
def test_a_target_that_the_model_does_not_have_is_an_error(target: str) -> None:
    with pytest.raises((ExplainError, ConfigError)):
        ask(color_subject(), two_squares(), target)


@pytest.mark.parametrize("target", ["depth:mug", "depth:99,1", "depth:-1,4", "depth:1"])
def test_a_depth_of_no_place_in_the_picture_is_an_error(target: str) -> None:
    card = MODELS.get("tiny-depth")
    subject = fresh_subject(card, card.tiny, size=Size(width_px=96, height_px=64))
    with pytest.raises(ConfigError, match="not a place in the picture of 96×64 px"):
        ask(subject, noise(64, 96), target)


def test_an_embedding_without_attention_is_explained_by_hiding() -> None:
    card = MODELS.get("simclr")
    subject = fresh_subject(card, card.tiny, size=Size(width_px=96, height_px=64))
    assert usual_ways(ask(subject, noise(64, 96), "embedding")) == ["occlusion"]


def of_pictures() -> list[str]:
    cards = {name: MODELS.get(name) for name in MODELS}
    return [n for n, card in cards.items() if card.serving and card.serving.image]


@pytest.mark.parametrize("name", of_pictures())
def test_every_model_of_pictures_is_explained_or_refused_with_a_reason(name: str) -> None:
    """Fresh weights: a map may fail its check, but nothing else may go wrong."""
    card = MODELS.get(name)
    subject = fresh_subject(card, card.tiny, size=Size(width_px=96, height_px=64))
    if subject.is_asked_by_words:
        with pytest.raises(ExplainError, match="finds what a prompt names, and a picture has non"):
            ask(subject, noise(64, 96))
        return
    question = ask(subject, noise(64, 96))
    for one in answered(question, usual_ways(question), is_checked=False):
        assert (one.heat is None) == bool(one.refused)
        if one.heat is not None:
            assert one.heat.shape == (64, 96)


def test_random_weights_give_another_map() -> None:
    card = MODELS.get("classifier")
    subject = fresh_subject(card, card.tiny, size=Size(width_px=96, height_px=96))
    question = ask(subject, noise(96, 96), "class:1")
    maps = [
        WAYS.get("hires_cam").explain(question.of(one)).values
        for one in (subject, subject.with_random_weights(seed=3))
    ]
    assert abs(np.corrcoef(maps[0].ravel(), maps[1].ravel())[0, 1]) < 0.9


def test_a_picture_beside_the_view_has_no_heat() -> None:
    """Of a wide picture in a square input the map shows the view alone."""
    wide = np.full((SIDE_PX // 2, SIDE_PX, 3), 90, np.uint8)
    wide[4:16, 8:20] = (250, 20, 20)
    question = ask(color_subject(), wide, "class:red")
    heat = in_view(WAYS.get("grad_cam").explain(question), question)
    assert heat.shape == wide.shape[:2]
    assert 8 <= np.unravel_index(heat.argmax(), heat.shape)[1] < 20
