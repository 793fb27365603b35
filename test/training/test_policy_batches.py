"""Batches show what a camera of other exposure would have seen, and lose what a robot may lose."""

from dataclasses import replace

import numpy as np
import pytest

from robot_vision.core.manifests.action_spec import ActionStatistics
from robot_vision.policies.observing.color_features import chroma_of
from robot_vision.policies.observing.tokens import (
    GEOMETRY_WIDTH,
    MAX_OBJECTS,
    OBJECT_SLICES,
    OBJECT_WIDTH,
    POINTABLE,
    VISUAL_COLUMNS,
    VISUAL_ROWS,
    VISUAL_WIDTH,
    robot_width,
)
from robot_vision.rollouts.episode_files import PolicySet
from robot_vision.training.data.policy_batches import (
    Changes,
    Dropout,
    Noises,
    PolicyBatch,
    make_batch,
)

SAMPLES = 40
NO_LOSS = Dropout(depth=0, visual=0, appearance=0, history=0, others=0)
NO_NOISE = Noises(exposure=0, tint=0, looks=0, places_m=0)
STILL = Changes(noises=NO_NOISE, dropout=NO_LOSS)
STATISTICS = ActionStatistics(mean=[0.0] * 7, scale=[1.0] * 7)


def one_object() -> PolicySet:
    """One frame in which one object is seen, as many samples."""
    rng = np.random.default_rng(0)
    objects = np.zeros((1, MAX_OBJECTS, OBJECT_WIDTH), np.float16)
    objects[0, 0] = rng.uniform(0.1, 0.6, OBJECT_WIDTH)
    color = objects[0, 0, OBJECT_SLICES["color"]].astype(float)
    objects[0, 0, OBJECT_SLICES["chroma"]] = chroma_of(color)
    cells = VISUAL_ROWS * VISUAL_COLUMNS
    pointers = np.zeros((SAMPLES, 2, POINTABLE), bool)
    pointers[:, :, 0] = True
    return PolicySet(
        objects=objects,
        present=np.arange(MAX_OBJECTS)[None] < 1,
        visual=np.zeros((1, cells, VISUAL_WIDTH), np.float16),
        has_visual=np.ones(1, bool),
        robot=np.zeros((1, robot_width(2)), np.float32),
        tokens=np.ones((1, 3), np.int64),
        frame=np.zeros(SAMPLES, np.int64),
        first_text=np.zeros(SAMPLES, np.int64),
        text_count=np.ones(SAMPLES, np.int64),
        pointers=pointers,
        action=np.zeros((SAMPLES, 12, 7), np.float32),
        moves=np.ones(SAMPLES, bool),
    )


def batch_of(changes: Changes | None) -> PolicyBatch:
    return make_batch(
        one_object(),
        np.arange(SAMPLES),
        statistics=STATISTICS,
        rng=np.random.default_rng(1),
        changes=changes,
    )


def field(batch: PolicyBatch, name: str) -> np.ndarray:
    return batch.objects.numpy()[:, 0, OBJECT_SLICES[name]]


def test_a_recipe_without_noise_changes_nothing() -> None:
    still, as_stored = batch_of(STILL), batch_of(None)
    for name in OBJECT_SLICES:
        assert field(still, name) == pytest.approx(field(as_stored, name), abs=1e-3), name


def test_exposure_changes_all_colours_of_a_view_alike() -> None:
    changes = replace(STILL, noises=NO_NOISE.model_copy(update={"exposure": 0.2, "tint": 0.05}))
    before, after = batch_of(STILL), batch_of(changes)
    gain = field(after, "color") / field(before, "color")
    assert np.log(gain).std() > 0.1
    for name, colors in (("shades", 7), ("around", 1), ("light", 7)):
        gains = np.tile(gain, colors)
        expected = np.minimum(field(before, name)[:, : 3 * colors] * gains, 1)
        assert field(after, name)[:, : 3 * colors] == pytest.approx(expected, rel=1e-4), name
    assert field(after, "light")[:, -1] == pytest.approx(field(before, "light")[:, -1])
    assert field(after, "chroma") == pytest.approx(chroma_of(field(after, "color")))
    geometry = after.objects[:, 0, :GEOMETRY_WIDTH].numpy()
    assert geometry == pytest.approx(before.objects[:, 0, :GEOMETRY_WIDTH].numpy())
    assert not after.objects[:, 1:].any()


def test_features_of_objects_are_lost_as_often_as_the_recipe_says() -> None:
    changes = replace(STILL, dropout=NO_LOSS.model_copy(update={"appearance": 0.5}))
    lost = ~field(batch_of(changes), "appearance").any(axis=1)
    assert 0.2 < lost.mean() < 0.8
    assert field(batch_of(changes), "color").all()
