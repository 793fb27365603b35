"""Adapters: where the parts of a vision-language model are, and that they say what it says."""

import copy
from pathlib import Path

import pytest
import torch
from vlm_kit import SIDE_PX, model_of

from robot_vision.core.errors import ConfigError
from robot_vision.models.vla import adapters
from robot_vision.models.vla.adapter import ADAPTERS, ATTRIBUTES, Row, VlmAdapter
from robot_vision.models.vla.backbone import drop_words

THREE = ("paligemma", "llava", "flamingo")
WORDS = 5


def row(values: torch.Tensor, present: torch.Tensor | None = None) -> Row:
    there = torch.ones(values.shape[:2], dtype=torch.bool) if present is None else present
    return Row(values=values, present=there)


def pixels() -> torch.Tensor:
    return torch.randn(2, 3, SIDE_PX, SIDE_PX, generator=torch.Generator().manual_seed(1))


def said() -> torch.Tensor:
    return torch.randint(3, 60, (2, WORDS), generator=torch.Generator().manual_seed(2))


def whole(kind: str, model: torch.nn.Module, pictures: int) -> torch.Tensor:
    """What transformers itself makes of a picture and words."""
    if kind == "flamingo":
        seen = torch.ones(2, WORDS, 1)
        return model(
            input_ids=said(), pixel_values=pixels()[:, None], image_attention_mask=seen
        ).last_hidden_state
    token = model.config.image_token_id
    ids = torch.cat([torch.full((2, pictures), token), said()], dim=1)
    beside = {"token_type_ids": torch.zeros_like(ids)} if kind == "paligemma" else {}
    return model(input_ids=ids, pixel_values=pixels(), **beside).last_hidden_state[:, -WORDS:]


@pytest.mark.parametrize("kind", THREE)
@torch.no_grad()
def test_it_reads_what_the_whole_model_reads(kind: str) -> None:
    model = model_of(kind)
    adapter = ADAPTERS.get(kind)(model)
    images = adapter.encode_images(pixels())
    found = adapter.read(row(images), row(adapter.word_embedding(said())))
    torch.testing.assert_close(found, whole(kind, model, images.shape[1]), rtol=1e-5, atol=1e-5)
    other = adapter.read(row(images.flip(0)), row(adapter.word_embedding(said())))
    assert (other - found).abs().max() > 1e-4  # and it is the picture that it looks at


@pytest.mark.parametrize("kind", [*THREE, "smolvlm"])
@torch.no_grad()
def test_what_is_absent_has_no_influence(kind: str) -> None:
    """Neither by its values nor by the place that it takes."""
    adapter = ADAPTERS.get("generic" if kind == "smolvlm" else kind)(model_of(kind))
    images = adapter.encode_images(pixels())
    words = adapter.word_embedding(said())
    there = torch.ones(2, WORDS, dtype=torch.bool)
    there[:, 1] = False
    found = adapter.read(row(images), row(words, there))
    without = adapter.read(row(images), row(words[:, [0, 2, 3, 4]]))
    torch.testing.assert_close(found[:, [0, 2, 3, 4]], without, rtol=1e-4, atol=1e-5)
    blind = torch.zeros(images.shape[:2], dtype=torch.bool)
    one = adapter.read(row(images, blind), row(words))
    torch.testing.assert_close(one, adapter.read(row(images + 1, blind), row(words)))
    assert one.isfinite().all()


@pytest.mark.parametrize("kind", THREE)
def test_thirty_lines_are_enough(kind: str) -> None:
    file = Path(adapters.__file__).parent / f"{kind}.py"
    assert len(file.read_text().splitlines()) <= 30


def test_all_that_is_missing_is_named_at_once() -> None:
    class Half(VlmAdapter):
        model = property(lambda self: self.backbone)
        hidden_size = property(lambda self: self.model.config.text_config.hidden_size)
        vision_tower = property(lambda self: self.model.eyes)

    with pytest.raises(ConfigError) as raised:
        Half(model_of("paligemma"))
    message = str(raised.value)
    lacking = message.split(": expected")[0]
    for name in ("image_processor", "word_embedding", "text_tower", "vision_tower"):
        assert name in lacking
    assert "hidden_size" not in lacking
    assert "no attribute 'eyes'" in message
    assert all(name in message for name in ATTRIBUTES)


@pytest.mark.parametrize("kind", ["smolvlm", "llava"])
@torch.no_grad()
def test_parts_of_an_unknown_architecture_are_found_and_said(kind: str) -> None:
    model = model_of(kind)
    adapter = ADAPTERS.get("generic")(model)
    assert adapter.text_tower is (model.text_model if kind == "smolvlm" else model.language_model)
    assert adapter.word_embedding is model.get_input_embeddings()
    assert set(adapter.found) >= {"hidden_size", "word_embedding", "vision_tower"}
    way = {"smolvlm": "vision tower, then connector: 4", "llava": "get_image_features: 16"}
    assert adapter.found["encode_images"].startswith(way[kind])
    if kind == "llava":
        images = adapter.encode_images(pixels())
        torch.testing.assert_close(images, ADAPTERS.get("llava")(model).encode_images(pixels()))


def test_what_cannot_be_found_is_refused_with_what_was_tried() -> None:
    with pytest.raises(ConfigError, match="cannot read a picture and two words by a GitModel"):
        ADAPTERS.get("generic")(model_of("git"))
    model = model_of("llava")
    del model.vision_tower
    with pytest.raises(ConfigError, match=r"lacks vision_tower .*takes 3 channels"):
        ADAPTERS.get("generic")(model)


@torch.no_grad()
def test_a_copy_has_parts_of_its_own() -> None:
    """Averaged weights are a copy: it must not look through the other's eyes."""
    adapter = ADAPTERS.get("generic")(model_of("smolvlm"))
    drop_words(adapter)
    assert not list(adapter.word_embedding.parameters())
    other = copy.deepcopy(adapter)
    before = other.encode_images(pixels())
    for parameter in adapter.model.parameters():
        parameter.zero_()
    torch.testing.assert_close(other.encode_images(pixels()), before, rtol=0, atol=0)
