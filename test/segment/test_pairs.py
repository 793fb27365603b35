"""Every known kind of export: recognised by its tensors, and answering as the same weights do."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from color_segmenter import SIDE_PX, discs, write_color_pair, write_color_segmenter
from pair_files import write_pair

from robot_vision.core.errors import BundleError, ConfigError
from robot_vision.model_store.segmenters import find_segmenter, write_segmenter
from robot_vision.segment.importing import describe_pair
from robot_vision.segment.pair import PAIRS
from robot_vision.segment.prompt import make_prompt
from robot_vision.segment.segmenter import Segmenter

# A square: there is nothing to pad, so that pairs that stretch and those that pad agree.
SQUARE = discs((40, 40), (110, 80), (60, 120), width_px=150, height_px=150)
POINT: dict[str, Any] = {"points": [(42.0, 38.0)]}
POINTS: dict[str, Any] = {"points": [(108.0, 80.0), (112.0, 80.0)], "not_points": [(10.0, 10.0)]}
BOX: dict[str, Any] = {"box": (42.0, 102.0, 78.0, 138.0)}


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Segmenter:
    return Segmenter(write_color_segmenter(tmp_path_factory.mktemp("reference")))


@pytest.mark.parametrize("name", sorted(PAIRS))
def test_every_pair_is_recognised_and_answers_alike(
    name: str, reference: Segmenter, tmp_path: Path
) -> None:
    encoder, decoder = write_pair(name, tmp_path)
    manifest = describe_pair(encoder, decoder, name="imported", licence="MIT")
    assert manifest.pair == name
    assert "Not measured with real weights" in manifest.limits
    if name == "efficient_sam":  # its file leaves the size open
        picture = manifest.picture.model_copy(update={"side_px": SIDE_PX})
        manifest = manifest.model_copy(update={"picture": picture})
    assert manifest.picture.side_px == SIDE_PX
    bundle = write_segmenter(tmp_path / "bundle", manifest, encoder=encoder, decoder=decoder)
    segmenter = Segmenter(find_segmenter(bundle.path))
    ours, theirs = segmenter.embed(SQUARE), reference.embed(SQUARE)
    prompts = [POINT, POINTS, *([BOX] if segmenter.pair.takes_boxes else [])]
    for prompt in [make_prompt(**given) for given in prompts]:
        found = segmenter.segment(ours, prompt)
        expected = reference.segment(theirs, prompt)
        assert [one.score for one in found] == pytest.approx([one.score for one in expected])
        for one, other in zip(found, expected, strict=True):
            assert 0 < other.area_px < SQUARE.shape[0] * SQUARE.shape[1]
            np.testing.assert_array_equal(one.mask, other.mask)
    both = [make_prompt(**POINT), make_prompt(points=[(60.0, 120.0)])]
    at_once = segmenter.candidates(ours, both, several=True)
    again = reference.candidates(theirs, both, several=True)
    np.testing.assert_allclose(at_once.logits, again.logits, atol=1e-3)


def test_what_a_pair_cannot_take_is_refused(tmp_path: Path) -> None:
    encoder, decoder = write_pair("transformers_sam", tmp_path)
    manifest = describe_pair(encoder, decoder, name="points-only")
    bundle = write_segmenter(tmp_path / "bundle", manifest, encoder=encoder, decoder=decoder)
    segmenter = Segmenter(bundle)
    embedding = segmenter.embed(SQUARE)
    with pytest.raises(ConfigError, match="takes no boxes: give points"):
        segmenter.segment(embedding, make_prompt(**BOX))
    logits = segmenter.segment(embedding, make_prompt(**POINT))[0].logits
    with pytest.raises(ConfigError, match="takes no earlier mask"):
        segmenter.segment(embedding, make_prompt(**POINT, mask_logits=logits))


def test_files_that_are_not_a_pair_are_refused_with_their_tensors(tmp_path: Path) -> None:
    encoder, decoder = write_color_pair(tmp_path)
    with pytest.raises(BundleError, match="the other way round") as swapped:
        describe_pair(decoder, encoder, name="swapped")
    assert "point_coords" in str(swapped.value)
    assert "efficient_sam" in str(swapped.value), "it says which pairs are known"
    with pytest.raises(BundleError, match="no known pair"):
        describe_pair(encoder, encoder, name="twice")


def test_a_bundle_of_another_pair_is_refused(tmp_path: Path) -> None:
    bundle = write_color_segmenter(tmp_path)
    text = (bundle.path / "segmenter.yaml").read_text()
    (bundle.path / "segmenter.yaml").write_text(text.replace("pair: sam", "pair: sam2"))
    with pytest.raises(BundleError, match="is not a pair 'sam2': its encoder has pixel_values"):
        Segmenter(find_segmenter(bundle.path))


def test_a_changed_file_is_refused(tmp_path: Path) -> None:
    bundle = write_color_segmenter(tmp_path)
    model = onnx.load(bundle.decoder_path)
    model.producer_name = "somebody else"
    onnx.save(model, bundle.decoder_path)
    with pytest.raises(BundleError, match="is damaged or was replaced"):
        find_segmenter(bundle.path)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"not_points": [(1.0, 1.0)]}, "needs a point on the object"),
        ({"points": [(151.0, 3.0)]}, "the point 151,3 is not in the picture of 150×150 px"),
        ({"points": [(float("nan"), 3.0)]}, "is not in the picture"),
        ({"box": (50.0, 50.0, 20.0, 80.0)}, "left before right"),
        ({"points": [(1.0, 1.0)] * 65}, "a prompt of 65 points"),
    ],
)
def test_prompts_that_mean_nothing_are_refused(
    given: dict[str, list[tuple[float, float]]], words: str, reference: Segmenter
) -> None:
    embedding = reference.embed(SQUARE)
    with pytest.raises(ConfigError, match=words):
        reference.segment(embedding, make_prompt(**given))  # pyright: ignore[reportArgumentType]
