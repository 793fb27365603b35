"""Vision transformers at other sizes than they were trained at, and what they refuse."""

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from encoder_kit import encode, shaken

from robot_vision.core.errors import ConfigError
from robot_vision.models.encoders.encoder import EncoderChoice, build_encoder
from robot_vision.models.encoders.vit import ViT
from robot_vision.models.encoders.vit_parts import interpolated, sinusoidal_positions

SMALL: dict[str, Any] = {"width": 32, "heads": 4, "depth": 2, "grid": [4, 6]}


def small(**options: Any) -> ViT:
    torch.manual_seed(0)
    encoder = build_encoder(EncoderChoice(name="vit-ti16", options=SMALL | options)).eval()
    assert isinstance(encoder, ViT)
    shaken(encoder)
    return encoder


def test_sinusoidal_positions_are_those_of_the_papers_formula() -> None:
    rows, columns, width = 3, 5, 8
    found = sinusoidal_positions(rows, columns, width)[0].numpy()
    waves = [1.0, 1 / 100]  # 10000^(-k / (width / 4))
    for row in range(rows):
        for column in range(columns):
            angles = [np.outer(at, waves)[0] for at in (column, row)]
            expected = np.concatenate([f(a) for a in angles for f in (np.sin, np.cos)])
            np.testing.assert_allclose(found[row * columns + column], expected, atol=1e-6)


@pytest.mark.parametrize("wanted", [(8, 12), (2, 3), (5, 5)])
def test_interpolated_positions_stay_where_they_were(wanted: tuple[int, int]) -> None:
    """A plane stays a plane but at its borders, whose neighbours are missing."""
    grid = (12, 18)
    row, column = torch.meshgrid(*(torch.arange(n) / n for n in grid), indexing="ij")
    plane = torch.stack([row, column], dim=-1).reshape(1, -1, 2)
    found = interpolated(plane, grid, wanted, antialias=True).reshape(*wanted, 2)
    centre = [n // 2 for n in wanted]
    expected = torch.tensor(
        [(at + 0.5) / n - 0.5 / was for at, n, was in zip(centre, wanted, grid, strict=True)]
    )
    torch.testing.assert_close(found[tuple(centre)], expected, rtol=0, atol=0.02)


@pytest.mark.parametrize("positions", ["learned", "sinusoidal"])
def test_at_another_size_its_map_is_of_that_size_and_differs_by_place(positions: str) -> None:
    encoder = small(positions=positions)
    blank = torch.zeros(1, 3, 16 * 7, 16 * 3)
    (found,) = encode(encoder, blank).maps
    assert found.shape == (1, 32, 7, 3)
    assert found.flatten(2).std(dim=2).mean() > 1e-3


def test_the_training_size_is_not_forgotten_after_another() -> None:
    encoder = small()
    trained, other = torch.randn(1, 3, 64, 96), torch.randn(1, 3, 96, 64)
    before = encode(encoder, trained).pooled
    encode(encoder, other)
    assert torch.equal(encode(encoder, trained).pooled, before)


def test_a_picture_twice_as_large_is_seen_alike() -> None:
    """Of smooth pictures the map is nearly that of the smaller one."""
    encoder = small()
    coarse = F.interpolate(torch.randn(1, 3, 3, 3), size=(64, 96), mode="bicubic")
    twice = F.interpolate(coarse, size=(128, 192), mode="bicubic")
    one, other = encode(encoder, coarse).maps[0], encode(encoder, twice).maps[0]
    alike = F.cosine_similarity(one.flatten(1), F.avg_pool2d(other, 2).flatten(1))
    assert alike > 0.95


def test_attention_maps_are_asked_for_and_sum_to_one() -> None:
    encoder = small(registers=2)
    with torch.no_grad():
        maps = encoder.attention_maps(torch.randn(2, 3, 32, 48))
    assert [tuple(m.shape) for m in maps] == [(2, 4, 9, 9)] * 2
    for found in maps:
        torch.testing.assert_close(found.sum(dim=-1), torch.ones(2, 4, 9))


def test_the_mean_of_patches_can_be_pooled_with_and_without_a_class_token() -> None:
    for has_token in (True, False):
        encoder = small(pooling="mean", class_token=has_token)
        found = encode(encoder, torch.randn(2, 3, 32, 48))
        torch.testing.assert_close(found.pooled, found.maps[0].mean(dim=(2, 3)))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"heads": 5}, "width = 32: expected a multiple of heads = 5"),
        ({"class_token": False}, "pooling = 'class' needs class_token = true; or take 'mean'"),
        ({"patch_px": 15}, r"patch_px = 15: Input should be 8, 14, 16 or 32"),
        ({"grid": [14]}, r"grid.1 = .*Field required"),
    ],
)
def test_options_that_do_not_fit_are_named(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        small(**options)
