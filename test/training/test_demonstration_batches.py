"""What batches of demonstrations show: history, moments, words, and what is lost of them."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pixel_demonstrations import HORIZON, OBSERVATION, STEPS, demonstrations

from robot_vision.core.errors import ConfigError
from robot_vision.core.manifests.action_spec import ActionStatistics
from robot_vision.core.manifests.observation_spec import ObservationSpec
from robot_vision.training.data.demonstrations.batches import BatchMaker, normalised, physical
from robot_vision.training.data.demonstrations.changes import (
    Look,
    ModalityDropout,
    PictureChanges,
    draw_lost,
    relit,
    shifted,
)
from robot_vision.training.data.demonstrations.rows import RowClock
from robot_vision.training.data.demonstrations.scenes import Scenes
from robot_vision.training.data.demonstrations.words import SpokenTokens, vocabulary_of

SOURCE = demonstrations(3, seed=1)
STATISTICS = ActionStatistics(mean=(0.0,) * 6 + (0.5,), scale=(0.02,) * 6 + (0.5,))
KEPT = ModalityDropout(camera=0, depth=0, state=0, words=0, history=0)
UNCHANGED = PictureChanges(shift=0, exposure=0, tint=0)


def maker(
    dropout: ModalityDropout = KEPT,
    pictures: PictureChanges = UNCHANGED,
    after_s: tuple[float, ...] = (0.0,),
) -> BatchMaker:
    scenes = Scenes(source=SOURCE, observation=OBSERVATION, clock=RowClock(SOURCE))
    spoken = SpokenTokens(SOURCE.instructions, vocabulary_of(SOURCE.instructions))
    return BatchMaker(
        scenes=scenes,
        statistics=STATISTICS,
        spoken=spoken,
        after_s=after_s,
        dropout=dropout,
        pictures=pictures,
    )


def test_a_row_is_shown_with_the_picture_of_before_and_its_age() -> None:
    rows = np.array([5, STEPS])
    (moment,) = maker().batch(rows, np.random.default_rng(0)).moments
    pictures = SOURCE.pictures["top"]
    assert np.array_equal(moment["rgb_top"][0], pictures[[4, 5]])
    assert moment["age_s"][0] == pytest.approx([0.1, 0.0])
    assert moment["seen_top"].tolist() == [[True, True], [False, True]]
    assert moment["state_seen"].tolist() == [[True, True], [False, True]]
    assert np.array_equal(moment["state"][:, 1], SOURCE.state[rows])
    assert moment["depth_top"].dtype.is_floating_point
    assert (moment["tokens"] > 0).any(dim=1).all()


def test_moments_follow_each_other_and_end_with_the_episode() -> None:
    rows = np.array([3, STEPS - 1])
    batch = maker(after_s=(0.0, 0.2, 0.4)).batch(rows, np.random.default_rng(0))
    shown = [moment["state"][0, 1] for moment in batch.moments]
    assert np.array_equal(np.stack(shown), SOURCE.state[[3, 5, 7]])
    assert batch.action.shape == (3, 2, HORIZON, 7)
    assert batch.valid[:, 0].all()
    assert batch.valid[0, 1].tolist() == [True, *[False] * (HORIZON - 1)]
    assert not batch.valid[1:, 1].any()


@given(
    offsets=st.lists(st.floats(-3, 3), min_size=1, max_size=4), row=st.integers(0, 3 * STEPS - 1)
)
def test_no_row_of_another_episode_is_ever_near(offsets: list[float], row: int) -> None:
    clock = RowClock(SOURCE)
    found, there = clock.near(np.array([row]), offsets, most_off_s=0.05)
    assert (found // STEPS == row // STEPS).all()
    into_s = clock.into_s(np.array([row]))[0] + np.array(offsets)
    within = (into_s > -0.049) & (into_s < 0.1 * (STEPS - 1) + 0.049)
    assert there[0][within].all()
    assert not there[0][(into_s < -0.051) | (into_s > 0.1 * (STEPS - 1) + 0.051)].any()


@given(part=st.floats(0, 1), seed=st.integers(0, 2**31))
def test_a_sample_never_loses_all_that_it_could_act_on(part: float, seed: int) -> None:
    dropout = ModalityDropout(camera=1, depth=part, state=1, words=part, history=part)
    lost = draw_lost(dropout, OBSERVATION, 6, np.random.default_rng(seed))
    assert not (lost.camera.all(axis=1) & lost.state).any()
    blind = ObservationSpec(cameras=OBSERVATION.cameras, state="none")
    assert not draw_lost(dropout, blind, 6, np.random.default_rng(seed)).camera.all(axis=1).any()


def test_what_is_lost_is_marked_so() -> None:
    gone = ModalityDropout(camera=1, depth=0, state=0, words=1, history=1)
    (moment,) = maker(gone).batch(np.array([5, 6]), np.random.default_rng(0)).moments
    assert not moment["seen_top"].any()
    assert not moment["depth_seen_top"].any()
    assert not moment["tokens"].any()
    assert moment["state_seen"].tolist() == [[False, True]] * 2
    no_depth = ModalityDropout(camera=0, depth=1, state=0, words=0, history=0)
    (moment,) = maker(no_depth).batch(np.array([5]), np.random.default_rng(0)).moments
    assert moment["seen_top"].all()
    assert not moment["depth_seen_top"].any()


def test_depth_that_is_not_in_the_set_is_masked_as_in_service() -> None:
    depth_m = SOURCE.depth_m["top"].copy()
    depth_m[5] = 0
    whole = maker()
    holes = replace(SOURCE, depth_m={"top": depth_m})
    made = replace(whole, scenes=replace(whole.scenes, source=holes))
    (moment,) = made.batch(np.array([5, 6]), np.random.default_rng(0)).moments
    assert moment["depth_seen_top"].tolist() == [[True, False], [False, True]]
    assert moment["seen_top"].all()


def test_pictures_are_moved_with_their_depth_and_shown_in_other_light() -> None:
    picture = SOURCE.pictures["top"][:1][None]
    look = Look(shift_px=np.array([[3, -2]]), gain=np.array([[2.0, 1.0, 0.5]], np.float32))
    moved = shifted(picture, look)
    assert np.array_equal(moved[0, 0, :-2, 3:], picture[0, 0, 2:, :-3])
    assert np.array_equal(moved[0, 0, :, 0], moved[0, 0, :, 2])
    lit = relit(picture, look).astype(int)
    assert np.array_equal(lit[..., 0], np.minimum(2 * picture[..., 0].astype(int), 255))
    assert np.array_equal(lit[..., 1], picture[..., 1])
    changed = maker(pictures=PictureChanges(shift=0.1, exposure=0.3, tint=0.1))
    (moment,) = changed.batch(np.array([5]), np.random.default_rng(0)).moments
    assert not np.array_equal(moment["rgb_top"][0], SOURCE.pictures["top"][[4, 5]])


def test_cached_maps_stand_in_place_of_pictures() -> None:
    maps = np.arange(len(SOURCE.state) * 6, dtype=np.float16).reshape(-1, 1, 2, 3)
    whole = maker()
    cached = replace(whole, scenes=replace(whole.scenes, maps={"top": (maps,)}))
    (moment,) = cached.batch(np.array([5]), np.random.default_rng(0)).moments
    assert "rgb_top" not in moment
    assert np.array_equal(moment["maps_top_0"][0], maps[[4, 5]])


def test_a_vocabulary_is_of_what_was_said() -> None:
    vocabulary = vocabulary_of([("Lift the RED cube!", "lift red"), ("push blue",)])
    assert vocabulary.words == ("blue", "cube", "lift", "push", "red", "the")
    assert (vocabulary.things, vocabulary.actions, vocabulary.max_words) == ((), (), 4)
    spoken = SpokenTokens([("lift the green cube",), ()], vocabulary)
    assert (spoken.unknown_words, spoken.too_long) == (("green",), 0)
    assert SpokenTokens([("lift the red cube, lift", "the red")], vocabulary).too_long == 1
    tokens = spoken.first(np.array([0, 1]))["tokens"]
    assert tokens.tolist() == [[3, 6, 2, 0], [0, 0, 0, 0]]
    with pytest.raises(ConfigError, match=r"words\s*= none"):
        vocabulary_of([(), ("",), ("🤖",)])
    with pytest.raises(ConfigError, match=r"has 129 words \('pick pick.*; expected 128 at most"):
        vocabulary_of([("pick " * 129,)])


@given(st.lists(st.floats(-2, 2), min_size=7, max_size=7))
def test_normalised_actions_become_what_they_were(action: list[float]) -> None:
    rows = np.array([action], np.float32)
    assert physical(normalised(rows, STATISTICS), STATISTICS) == pytest.approx(rows, abs=1e-5)
