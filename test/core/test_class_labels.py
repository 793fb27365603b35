"""Label images and shares of classes: the same numbers whatever the sizes."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot_vision.core.results.frame_classes import (
    MOST_CLASSES,
    classification_json_of,
    label_image,
    label_names,
    segmentation_json_of,
    shares_of,
)
from robot_vision.core.types import Classification, SemanticMap


def semantic(class_id: np.ndarray, classes: int) -> SemanticMap:
    names = tuple(f"c{k}" for k in range(classes))
    return SemanticMap(stamp_ns=3, class_id=class_id, class_names=names, model_id="m@1")


@given(
    st.integers(1, 9), st.integers(1, 9), st.integers(1, 5), st.integers(1, 5), st.integers(0, 99)
)
def test_a_label_image_repeats_each_cell(
    height: int, width: int, down: int, right: int, seed: int
) -> None:
    class_id = np.random.default_rng(seed).integers(-1, 3, (height, width))
    found = semantic(class_id, 3)
    image = label_image(found, width_px=width * right, height_px=height * down)
    assert image.dtype == np.uint8
    assert np.array_equal(image, np.kron(class_id + 1, np.ones((down, right), int)))
    shares = shares_of(found)
    assert sum(share for _, _, share in shares) == pytest.approx(1)
    for label, name, share in shares:
        assert label_names(found.class_names)[label] == name
        assert share == pytest.approx((image == label).mean())


@pytest.mark.parametrize(("classes", "kind"), [(254, np.uint8), (255, np.uint16)])
def test_the_value_that_means_unlabelled_is_never_used(classes: int, kind: type) -> None:
    image = label_image(semantic(np.array([[-1, classes - 1]]), classes), width_px=2, height_px=1)
    assert image.dtype == kind
    assert image.tolist() == [[0, classes]]
    assert image.max() < np.iinfo(kind).max


def test_the_texts_name_what_they_count() -> None:
    said = json.loads(segmentation_json_of(semantic(np.array([[0, 1, 1, -1]]), 2), frame_id="f"))
    assert said == {
        "stamp_ns": 3,
        "frame_id": "f",
        "model": "m@1",
        "labels": {"0": "none", "1": "c0", "2": "c1"},
        "classes": [
            {"label": 2, "class": "c1", "share": 0.5},
            {"label": 0, "class": "none", "share": 0.25},
            {"label": 1, "class": "c0", "share": 0.25},
        ],
    }
    many = MOST_CLASSES + 7
    found = Classification(
        stamp_ns=3,
        class_id=np.arange(many),
        probability=np.linspace(0.9, 0, many, dtype=np.float32),
        class_names=("cup",),
    )
    said = json.loads(classification_json_of(found, frame_id="f"))
    assert len(said["classes"]) == MOST_CLASSES
    assert [row["class"] for row in said["classes"][:2]] == ["cup", "1"]
