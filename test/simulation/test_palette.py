import numpy as np
import pytest

from robot_vision.simulation.content.palette import (
    CLASS_NAMES,
    COLOR_NAMES,
    HELD_OUT_SHARE,
    draw_color_name,
    draw_rgb,
    is_held_out,
)


@pytest.mark.parametrize("class_name", CLASS_NAMES)
def test_each_class_has_colors_for_training_and_some_held_out(class_name: str) -> None:
    held_out = sum(is_held_out(class_name, color) for color in COLOR_NAMES)
    assert 1 <= held_out <= 2


def test_training_never_draws_a_held_out_combination() -> None:
    rng = np.random.default_rng(0)
    for class_name in CLASS_NAMES:
        drawn = {draw_color_name(class_name, split="train", rng=rng) for _ in range(200)}
        assert drawn == {c for c in COLOR_NAMES if not is_held_out(class_name, c)}


@pytest.mark.parametrize("split", ["val", "test"])
def test_other_splits_draw_the_stated_share_of_held_out_combinations(split) -> None:
    rng = np.random.default_rng(0)
    held_out = [
        is_held_out(name, draw_color_name(name, split=split, rng=rng))
        for name in CLASS_NAMES
        for _ in range(300)
    ]
    assert np.mean(held_out) == pytest.approx(HELD_OUT_SHARE, abs=0.03)


def test_shades_of_different_names_stay_apart() -> None:
    rng = np.random.default_rng(0)
    shades = {name: np.array([draw_rgb(name, rng) for _ in range(50)]) for name in COLOR_NAMES}
    for name, drawn in shades.items():
        for other, theirs in shades.items():
            if name != other:
                gap = np.linalg.norm(drawn[:, None] - theirs[None], axis=2).min()
                assert gap > 0.03, (name, other)
