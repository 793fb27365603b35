"""A pyramid has its levels whatever strides the encoder has, and detail reaches them."""

import pytest
import torch
from torch import Tensor

from robot_vision.models.layers.pyramid import Pyramid

HEIGHT_PX, WIDTH_PX = 64, 96
LEVELS = (4, 8, 16, 32)


def maps_of(strides: tuple[int, ...], channels: tuple[int, ...]) -> list[Tensor]:
    torch.manual_seed(0)
    return [
        torch.randn(2, c, HEIGHT_PX // s, WIDTH_PX // s)
        for s, c in zip(strides, channels, strict=True)
    ]


@pytest.mark.parametrize(
    "strides", [(4, 8, 16, 32), (2, 4, 8, 16, 32), (8, 16, 32), (16,), (8,), (32,)], ids=str
)
def test_every_level_has_its_stride_and_width(strides: tuple[int, ...]) -> None:
    channels = tuple(3 + row for row in range(len(strides)))
    pyramid = Pyramid(strides, channels, width=6, strides=LEVELS, wanted=LEVELS)
    found = pyramid(maps_of(strides, channels))
    assert list(found) == list(LEVELS)
    for stride, level in found.items():
        assert level.shape == (2, 6, HEIGHT_PX // stride, WIDTH_PX // stride)


def test_what_is_coarse_reaches_the_finest_level_and_not_the_other_way_round() -> None:
    pyramid = Pyramid((4, 32), (3, 3), width=6, strides=(4, 32), wanted=(4, 32)).eval()
    fine, coarse = maps_of((4, 32), (3, 3))
    plain = pyramid([fine, coarse])
    other_coarse = pyramid([fine, coarse + 1])
    other_fine = pyramid([fine + 1, coarse])
    assert not torch.equal(plain[4], other_coarse[4])
    torch.testing.assert_close(plain[32], other_fine[32])


def test_patches_of_fourteen_pixels_give_levels_of_powers_of_two() -> None:
    pyramid = Pyramid((14,), (3,), width=6, strides=LEVELS, wanted=LEVELS)
    found = pyramid([torch.randn(1, 3, 16, 32)])  # of a picture of 448 x 224 px
    assert [level.shape[2:] for level in found.values()] == [
        (224 // stride, 448 // stride) for stride in LEVELS
    ]
