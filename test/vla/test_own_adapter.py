"""The adapter of one's own in examples/, as docs/vla.md has it."""

from collections.abc import Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
import torch
from vlm_kit import SIDE_PX, model_of, policy_of

from robot_vision.models.policies.chunk_serving import example_of
from robot_vision.models.vla.adapter import ADAPTERS, Row, adapter_for

EXAMPLE = Path(__file__).parents[2] / "examples" / "vlm_adapter" / "smolvlm.py"


@pytest.fixture(scope="module")
def example() -> Iterator[None]:
    """Registered for these tests alone: others find the parts of a SmolVLM without it."""
    spec = spec_from_file_location("own_adapter", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    spec.loader.exec_module(module_from_spec(spec))
    yield
    del ADAPTERS._items["smolvlm"]


@pytest.mark.usefixtures("example")
@torch.no_grad()
def test_it_reads_what_the_whole_model_reads() -> None:
    model = model_of("smolvlm")
    pixels, words = torch.randn(2, 3, SIDE_PX, SIDE_PX), torch.randint(3, 60, (2, 5))
    adapter = ADAPTERS.get(adapter_for("smolvlm"))(model)
    images = adapter.encode_images(pixels)
    shown = torch.ones(images.shape[:2], dtype=torch.bool)
    said = Row(values=adapter.word_embedding(words), present=torch.ones_like(words).bool())
    found = adapter.read(Row(values=images, present=shown), said)
    ids = torch.cat([torch.full((2, images.shape[1]), 63), words], dim=1)
    whole = model(input_ids=ids, pixel_values=pixels[:, None]).last_hidden_state
    torch.testing.assert_close(found, whole[:, -5:], rtol=1e-5, atol=1e-5)


@pytest.mark.usefixtures("example")
def test_a_policy_is_made_of_it() -> None:
    policy = policy_of("smolvlm")
    assert policy(example_of(policy.input_shapes, 2))["action"].shape == (2, 3, 7)


def test_it_is_as_short_as_the_others() -> None:
    assert len(EXAMPLE.read_text().splitlines()) <= 30
