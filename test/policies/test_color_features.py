"""Colours of objects are those of their pixels, and the light is that of the whole view."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot_vision.policies.observing.color_features import (
    LIGHT_WIDTH,
    SHADES,
    object_colors,
    scene_light,
)

BOX = np.array([40.0, 30.0, 80.0, 60.0], np.float32)
LEVELS = st.integers(20, 240)


def picture(thing: tuple[int, int, int], table: tuple[int, int, int] = (90, 90, 90)) -> np.ndarray:
    rgb = np.full((120, 160, 3), table, np.uint8)
    rgb[30:60, 40:80] = thing
    return rgb


@given(thing=st.tuples(LEVELS, LEVELS, LEVELS), table=st.tuples(LEVELS, LEVELS, LEVELS))
def test_thing_and_surroundings_have_their_own_colours(
    thing: tuple[int, int, int], table: tuple[int, int, int]
) -> None:
    found = object_colors(picture(thing, table), BOX, None)
    rgb = np.array(thing) / 255
    assert found["color"] == pytest.approx(rgb)
    assert found["shades"] == pytest.approx(np.tile(rgb, SHADES))
    assert found["chroma"] == pytest.approx(rgb / rgb.max())
    assert found["around"] == pytest.approx(np.array(table) / 255)


def test_only_pixels_of_the_mask_count() -> None:
    rgb = picture((0, 0, 200))
    rgb[30:60, 40:60] = (200, 0, 0)
    mask = np.zeros((30, 40), bool)  # a quarter of the picture's size
    mask[7:15, 10:15] = True
    assert object_colors(rgb, BOX, mask)["color"] == pytest.approx([200 / 255, 0, 0])


def test_a_mask_of_next_to_nothing_is_not_trusted() -> None:
    found = object_colors(picture((10, 200, 30)), BOX, np.zeros((30, 40), bool))
    assert found["color"] == pytest.approx(np.array([10, 200, 30]) / 255)


def test_clipped_pixels_do_not_hide_the_hue() -> None:
    rgb = picture((255, 255, 255))
    rgb[30:60, 70:80] = (200, 90, 140)  # the side that is not in the light
    found = object_colors(rgb, BOX, np.ones((30, 40), bool))
    assert found["color"] == pytest.approx(np.array([200, 90, 140]) / 255)
    assert found["clipped"] == pytest.approx(0.75, abs=0.02)
    assert found["shades"][:3] == pytest.approx(np.array([200, 90, 140]) / 255)
    assert found["shades"][-3:] == pytest.approx(1)


def test_a_box_that_is_clipped_everywhere_still_has_a_colour() -> None:
    found = object_colors(picture((255, 250, 255)), BOX, None)
    assert found["clipped"] == 1
    assert found["color"] == pytest.approx(np.array([255, 250, 255]) / 255)


@given(
    left=st.floats(-50, 200), top=st.floats(-50, 200), width=st.floats(0.1, 300),
    height=st.floats(0.1, 300),
)  # fmt: skip
def test_any_box_has_finite_colours(left: float, top: float, width: float, height: float) -> None:
    box = np.array([left, top, left + width, top + height], np.float32)
    found = object_colors(picture((10, 120, 240)), box, np.ones((30, 40), bool))
    for value in found.values():
        assert np.isfinite(value).all()
        assert ((value >= 0) & (value <= 1)).all()


def test_light_has_brightness_and_tint() -> None:
    dim = scene_light(np.full((120, 160, 3), (40, 20, 20), np.uint8))
    bright = scene_light(np.full((120, 160, 3), (255, 200, 200), np.uint8))
    assert dim.shape == (LIGHT_WIDTH,)
    assert dim[:3] == pytest.approx(np.array([40, 20, 20]) / 255)
    assert (bright[:-1] > dim[:-1]).all()
    assert (dim[-1], bright[-1]) == (0, 1)
