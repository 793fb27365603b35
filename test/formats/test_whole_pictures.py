"""Classification and semantic segmentation: what outputs of each shape and kind say."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot_vision.core.cameras.placement import place
from robot_vision.core.errors import BundleError
from robot_vision.core.manifests.manifest import ModelManifest
from robot_vision.formats.check import check_manifest, check_outputs
from robot_vision.formats.classification import decode_classification
from robot_vision.formats.semantic import decode_semantic

CLASSES = ("cup", "bowl", "can")
WIDTH, HEIGHT = 64, 32


def manifest(format: str, *, classes: tuple[str, ...] = CLASSES, **reading: str) -> ModelManifest:
    task = {"classification": "classification", "semantic": "segmentation"}[format]
    described = {
        "name": "m",
        "task": task,
        "format": format,
        "input": {"name": "x", "width_px": WIDTH, "height_px": HEIGHT},
        "classes": classes,
        "reading": reading,
    }
    known = ModelManifest.model_validate(described)
    check_manifest(known)
    return known


def classify(output: np.ndarray, said: ModelManifest) -> tuple[list[int], list[float]]:
    check_outputs(said, {"output": output})
    found = decode_classification({"output": output}, said, stamp_ns=5)
    assert found.stamp_ns == 5
    return found.class_id.tolist(), found.probability.tolist()


@given(st.lists(st.floats(-8, 8, width=32), min_size=3, max_size=3))
def test_logits_and_their_probabilities_are_one_answer(logits: list[float]) -> None:
    scores = np.array([logits], np.float32)
    shares = np.exp(scores) / np.exp(scores).sum()
    by_kind = {"logits": scores, "probabilities": shares}
    found = [
        decode_classification(
            {"output": output}, manifest("classification", scores=kind), stamp_ns=0
        )
        for kind, output in by_kind.items()
    ]
    assert np.allclose(found[0].probability, found[1].probability, atol=1e-5)
    assert found[0].probability.sum() == pytest.approx(1, abs=1e-4)
    assert np.all(np.diff(found[0].probability) <= 0)
    assert sorted(found[0].class_id) == [0, 1, 2]


@pytest.mark.parametrize("shape", [(1, 4), (1, 4, 1, 1), (1, 1, 1, 4)])
def test_a_background_takes_its_share_and_is_not_a_class(shape: tuple[int, ...]) -> None:
    said = manifest("classification", scores="probabilities", background="first")
    output = np.array([0.5, 0.1, 0.3, 0.1], np.float32).reshape(shape)
    order, probability = classify(output, said)
    assert order == [1, 0, 2]
    assert probability == pytest.approx([0.3, 0.1, 0.1])


@pytest.mark.parametrize(
    ("output", "said", "message"),
    [
        ([0.2, 0.3, 0.5], {"scores": "logits"}, "these are probabilities, and .*'logits'"),
        ([2.0, -1.0, 0.0], {"scores": "probabilities"}, "these are logits, and .*'probabil"),
        ([0.2, 0.8], {"scores": "probabilities"}, r"'output' is \[1, 2\].*expects \[1, 3\]"),
    ],
)
def test_scores_of_another_kind_are_refused(
    output: list[float], said: dict[str, Any], message: str
) -> None:
    with pytest.raises(BundleError, match=message):
        classify(np.array([output], np.float32), manifest("classification", **said))


TRUE = np.full((4, 8), 2)
TRUE[1:3, 2:4] = 1
LOGITS = np.stack([np.where(row == TRUE, 4.0, -1.0) for row in range(3)]).astype(np.float32)


@pytest.mark.parametrize(
    ("output", "said"),
    [
        (LOGITS[None], {"scores": "logits"}),
        (LOGITS[None].astype(np.float16), {"scores": "logits"}),
        (LOGITS.transpose(1, 2, 0)[None], {"scores": "logits"}),
        ((np.exp(LOGITS) / np.exp(LOGITS).sum(axis=0))[None], {"scores": "probabilities"}),
        (
            np.concatenate([LOGITS[:1] - 9, LOGITS])[None],
            {"scores": "logits", "background": "first"},
        ),
        (TRUE[None].astype(np.uint8), {}),
        (TRUE[None, None].astype(np.int64), {}),
        (TRUE[None, ..., None].astype(np.int32), {}),
        (TRUE[None] + 1, {"background": "first"}),
    ],
)
def test_every_output_gives_the_same_map(output: np.ndarray, said: dict[str, Any]) -> None:
    known = manifest("semantic", **said)
    check_outputs(known, {"output": output})
    placement = place(known.input, width_px=2 * WIDTH, height_px=2 * HEIGHT)
    found = decode_semantic({"output": output}, known, stamp_ns=5, placement=placement)
    assert found.stamp_ns == 5
    assert np.array_equal(found.class_id, TRUE)
    if np.issubdtype(output.dtype, np.floating):
        assert found.probability is not None
        assert np.all((found.probability > 0.5) & (found.probability <= 1))
    else:
        assert found.probability is None


def test_the_background_and_labels_that_mark_nothing_are_of_no_class() -> None:
    placement = place(manifest("semantic").input, width_px=WIDTH, height_px=HEIGHT)
    ids = np.array([[[0, 1, 3, 255]]], np.uint8)
    for background, expected in (("none", [0, 1, -1, -1]), ("first", [-1, 0, 2, -1])):
        said = manifest("semantic", background=background)
        found = decode_semantic({"output": ids}, said, stamp_ns=0, placement=placement)
        assert found.class_id.tolist() == [expected]


@pytest.mark.parametrize("scores", ["logits", "probabilities"])
def test_one_class_is_seen_where_it_is_likelier_than_not(scores: str) -> None:
    probability = np.array([[0.2, 0.4, 0.6, 0.9]], np.float32)
    output = np.log(probability / (1 - probability)) if scores == "logits" else probability
    said = manifest("semantic", classes=("cup",), scores=scores)
    check_outputs(said, {"output": output[None, None]})
    placement = place(said.input, width_px=WIDTH, height_px=HEIGHT)
    for maps in (output[None, None], output[None]):
        found = decode_semantic({"output": maps}, said, stamp_ns=0, placement=placement)
        assert found.class_id.tolist() == [[-1, -1, 0, 0]]
        assert np.allclose(found.probability, probability, atol=1e-6)


def test_the_map_covers_the_view_and_not_the_padding() -> None:
    known = manifest("semantic", scores="logits")
    placement = place(known.input, width_px=WIDTH, height_px=HEIGHT // 2)
    found = decode_semantic({"output": LOGITS[None]}, known, stamp_ns=0, placement=placement)
    assert np.array_equal(found.class_id, TRUE[1:3])


@pytest.mark.parametrize(
    ("output", "said", "message"),
    [
        (LOGITS[None, :2], {"scores": "logits"}, r"expects \[1, 3, h, w\], or integer class"),
        (TRUE[None].astype(np.float32), {"scores": "logits"}, r"is \[1, 4, 8\].*integer class"),
        (LOGITS[None], {"scores": "probabilities"}, "these are logits"),
    ],
)
def test_maps_of_another_kind_are_refused(
    output: np.ndarray, said: dict[str, Any], message: str
) -> None:
    with pytest.raises(BundleError, match=message):
        check_outputs(manifest("semantic", **said), {"output": output})
