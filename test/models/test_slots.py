"""Slots: learnt starts and no chance, one answer for a stream and a sequence, depth or none."""

import pytest
import torch
from torch import Tensor

from robot_vision.models.layers.slot_attention import SlotAttention, place_grid
from robot_vision.models.registry import MODELS
from robot_vision.models.temporal.rgbd_temporal import RgbdTemporal

BATCH, FRAMES = 2, 4


@pytest.fixture(scope="module")
def model() -> RgbdTemporal:
    torch.manual_seed(0)
    card = MODELS.get("rgbd-temporal")
    built = card.build(card.tiny)
    assert isinstance(built, RgbdTemporal)
    return built.eval()


@pytest.fixture(scope="module")
def scene() -> tuple[Tensor, Tensor]:
    """Colour u8 [b,t,h,w,3] and depth [b,t,1,h,w]; the last frame of one has no depth."""
    draw = torch.Generator().manual_seed(1)
    rgb = torch.randint(0, 256, (BATCH, FRAMES, 64, 96, 3), dtype=torch.uint8, generator=draw)
    depth_m = torch.rand(BATCH, FRAMES, 1, 64, 96, generator=draw) + 0.5
    depth_m[1, -1] = 0
    return rgb, depth_m


@torch.no_grad()
def streamed(model: RgbdTemporal, rgb: Tensor, depth_m: Tensor) -> list[dict[str, Tensor]]:
    """Frame by frame, as the service does it: two outputs are handed on."""
    memory = model.no_history(len(rgb))
    slots, cell, answers = memory.slots, memory.cell, []
    for frame in range(rgb.shape[1]):
        answers.append(model(rgb[:, frame], depth_m[:, frame], slots, cell))
        slots, cell = answers[-1]["slots"], answers[-1]["cell"]
    return answers


def test_a_sequence_at_once_is_what_frame_by_frame_gives(
    model: RgbdTemporal, scene: tuple[Tensor, Tensor]
) -> None:
    with torch.no_grad():
        at_once = model.sequence(*scene)
    for one, other in zip(at_once, streamed(model, *scene), strict=True):
        for role, value in one.items():
            torch.testing.assert_close(value, other[role], rtol=1e-4, atol=1e-5)


def test_the_same_frames_give_the_same_slots_whatever_the_seed(
    model: RgbdTemporal, scene: tuple[Tensor, Tensor]
) -> None:
    runs = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        runs.append(streamed(model, *scene)[-1]["slots"])
    assert torch.equal(*runs)


def test_history_changes_the_answer_and_can_be_withheld_from_some(
    model: RgbdTemporal, scene: tuple[Tensor, Tensor]
) -> None:
    rgb, depth_m = scene
    kept = torch.ones(BATCH, FRAMES, dtype=torch.bool)
    kept[0, -1] = False
    with torch.no_grad():
        found = model.sequence(rgb, depth_m, kept)[-1]["slots"]
        alone = model.sequence(rgb[:, -1:], depth_m[:, -1:])[0]["slots"]
        whole = model.sequence(rgb, depth_m)[-1]["slots"]
    torch.testing.assert_close(found[0], alone[0], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(found[1], whole[1], rtol=1e-4, atol=1e-5)
    assert not torch.allclose(whole, alone, atol=1e-3)


def test_no_depth_at_all_adds_nothing_and_breaks_nothing(model: RgbdTemporal) -> None:
    none = torch.zeros(1, 1, 64, 96)
    assert not model.depth(none).any()
    holes = none.clone()
    holes[..., 10, 10] = 1.0
    assert model.depth(holes).isfinite().all()


def test_slots_share_each_token_among_them(
    model: RgbdTemporal, scene: tuple[Tensor, Tensor]
) -> None:
    for frame in streamed(model, *scene):
        shares = frame["slot_masks"].sum(dim=1)
        torch.testing.assert_close(shares, torch.ones_like(shares))


def test_attention_of_tokens_of_two_kinds_follows_the_starts() -> None:
    """With one round and plain weights, a slot that begins like a token takes that token."""
    attention = SlotAttention(4, iterations=1)
    with torch.no_grad():
        for layer in (attention.query, attention.key, attention.value):
            layer.weight.copy_(4 * torch.eye(4))
        start = torch.eye(4)[None, :2]
        tokens = torch.eye(4)[None, [0, 1, 1, 0]]
        logits = attention._logits(start, attention.key(attention.norm_tokens(tokens)))  # pyright: ignore[reportPrivateUsage]
    assert logits.argmax(dim=1).tolist() == [[0, 1, 1, 0]]


def test_places_are_symmetric_distances_from_the_edges() -> None:
    grid = place_grid(2, 4, device=torch.device("cpu"))
    assert grid.shape == (1, 4, 2, 4)
    torch.testing.assert_close(grid[0, 0] + grid[0, 2], torch.ones(2, 4))
    assert grid[0, 0, 0].tolist() == [0.125, 0.375, 0.625, 0.875]
    assert grid[0, 1, :, 0].tolist() == [0.25, 0.75]
