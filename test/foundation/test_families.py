"""Each family from `save_pretrained` to a bundle that says what transformers' own parts say."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from foundation_kit import CAMERA_PX, MODELS, MORE_MODELS
from references import transformers

from robot_vision.core.parameters.config import ServiceConfig
from robot_vision.core.types import Frame
from robot_vision.formats.classification import decode_classification
from robot_vision.formats.format import Candidates
from robot_vision.formats.registry import FORMATS
from robot_vision.foundation.family import FAMILIES
from robot_vision.grounding.prompt_encoder import PromptEncoder
from robot_vision.importing.trying.pictures import load_pictures
from robot_vision.model_store.store import Bundle
from robot_vision.perception.model import ModelRun, load_model
from robot_vision.perception.preprocess import Preprocessor

PROCESSORS = {
    "dinov2": "BitImageProcessorPil",
    "dinov2_with_registers": "BitImageProcessorPil",
    "depth_anything": "DPTImageProcessorPil",
    "depth_anything_metric": "DPTImageProcessorPil",
    "dpt": "DPTImageProcessorPil",
    "detr": "DetrImageProcessorPil",
    "rtdetr": "RTDetrImageProcessorPil",
    "clip": "CLIPImageProcessorPil",
    "owlvit": "OwlViTImageProcessorPil",
}


@pytest.fixture(scope="module")
def rgb() -> np.ndarray:
    """A photograph's part, of the camera's size."""
    width_px, height_px = CAMERA_PX
    return np.ascontiguousarray(load_pictures()[0].rgb[40 : 40 + height_px, 60 : 60 + width_px])


@dataclass(frozen=True)
class Reference:
    """The library's own processor and model."""

    folder: Path
    processor: Any
    model: Any

    def pixels(self, rgb: np.ndarray, bundle: Bundle) -> torch.Tensor:
        """DINOv2 cuts out the middle; a robot's features are of the whole picture."""
        given: dict[str, Any] = {}
        if bundle.manifest.task == "features":
            image = bundle.manifest.input
            size = {"height": image.height_px, "width": image.width_px}
            given = {"size": size, "do_center_crop": False}
        return self.processor(images=rgb, return_tensors="pt", **given)["pixel_values"]


def reference(name: str, folder: Path, bundle: Bundle) -> Reference:
    t = transformers()
    processor = getattr(t, PROCESSORS[name]).from_pretrained(folder)
    kind = bundle.manifest.description.partition(",")[0]
    classes = next(f.classes for f in map(FAMILIES.get, FAMILIES) if kind in f.classes)
    model = getattr(t, classes[kind]).from_pretrained(folder).eval()
    return Reference(folder, processor, model)


def ran(bundle: Bundle, rgb: np.ndarray, **more: Any) -> ModelRun:
    model = load_model(bundle, ServiceConfig(device="cpu", threads=1))
    return model.run(Frame(stamp_ns=0, frame_id="", rgb=rgb), **more)


def close(found: np.ndarray, expected: Any, *, most: float = 2e-4) -> None:
    expected = np.asarray(expected)
    scale = max(1.0, float(np.abs(expected).max()))
    np.testing.assert_allclose(found / scale, expected / scale, atol=most)


Got = Callable[[str], Bundle]
Folder = Callable[[str], Path]


@pytest.mark.parametrize("name", MODELS)
def test_pictures_are_prepared_as_the_library_prepares_them(
    name: str, got: Got, tiny_folder: Folder, rgb: np.ndarray
) -> None:
    bundle = got(name)
    expected = reference(name, tiny_folder(name), bundle).pixels(rgb, bundle).numpy()
    found = Preprocessor(bundle.manifest.input)(rgb)[0]["pixels"]
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", MORE_MODELS)
def test_other_kinds_of_a_family_are_exported_and_run(
    name: str, got: Got, rgb: np.ndarray
) -> None:
    """That ONNX Runtime says what torch says is checked by `get`."""
    outputs = ran(got(name), rgb).outputs
    assert all(np.isfinite(value).all() for value in outputs.values())


@pytest.mark.parametrize("name", ["dinov2", "dinov2_with_registers"])
def test_features_are_the_librarys(
    name: str, got: Got, tiny_folder: Folder, rgb: np.ndarray
) -> None:
    bundle = got(name)
    own = reference(name, tiny_folder(name), bundle)
    with torch.inference_mode():
        tokens = own.model(own.pixels(rgb, bundle)).last_hidden_state[0]
    run, patches = ran(bundle, rgb), tokens[1 + 3 * (name != "dinov2") :]
    grid = run.grid("features")
    assert grid is not None
    assert grid.shape == (32, 4, 5)  # of 160×120, 14 pixels a patch, the shorter side 56
    close(grid.reshape(32, -1).T, patches)
    close(run.outputs["embedding"][0], tokens[0] / tokens[0].norm())


@pytest.mark.parametrize("name", ["depth_anything", "depth_anything_metric", "dpt"])
def test_depth_is_the_librarys(name: str, got: Got, tiny_folder: Folder, rgb: np.ndarray) -> None:
    bundle = got(name)
    own = reference(name, tiny_folder(name), bundle)
    with torch.inference_mode():
        expected = own.model(own.pixels(rgb, bundle)).predicted_depth[0]
    depth = ran(bundle, rgb).grid("depth")
    assert depth is not None
    close(depth[0], expected)
    assert float(np.ptp(depth)) > 0.01 * float(np.abs(depth).max())  # it looks at the picture
    is_metric = name.endswith("metric")
    assert bundle.manifest.format == ("depth_metric" if is_metric else "depth_relative")


@pytest.mark.parametrize("name", ["detr", "rtdetr"])
def test_boxes_are_the_librarys(name: str, got: Got, tiny_folder: Folder, rgb: np.ndarray) -> None:
    bundle = got(name)
    own = reference(name, tiny_folder(name), bundle)
    size = [CAMERA_PX[::-1]]
    with torch.inference_mode():
        outputs = own.model(own.pixels(rgb, bundle))
    expected = own.processor.post_process_object_detection(outputs, 0.0, target_sizes=size)[0]
    found = decoded(ran(bundle, rgb))
    # The library names a box twice where two classes are likely; a robot's box has one name.
    first = [
        row
        for row, box in enumerate(expected["boxes"])
        if not any(torch.equal(box, other) for other in expected["boxes"][:row])
    ]
    order = np.argsort(-expected["scores"][first].numpy(), kind="stable")
    rows = np.array(first)[order]
    mine = np.argsort(-found.score, kind="stable")[: len(rows)]
    assert len(rows) >= 3
    close(found.score[mine], expected["scores"][rows])
    scale = np.array(CAMERA_PX * 2) / np.array(
        (bundle.manifest.input.width_px, bundle.manifest.input.height_px) * 2
    )
    close(found.box_xyxy_px[mine] * scale, expected["boxes"][rows], most=1e-3)
    assert found.class_id[mine].tolist() == expected["labels"][rows].tolist()
    assert bundle.manifest.classes == ("cup", "bowl", "spoon")


def decoded(run: ModelRun) -> Candidates:
    detection = FORMATS.get(run.manifest.format).detection
    assert detection is not None
    return detection.decode(run.outputs, run.manifest, min_score=0.0)


def test_classes_by_words_are_the_librarys(got: Got, tiny_folder: Folder, rgb: np.ndarray) -> None:
    bundle = got("clip")
    own = reference("clip", tiny_folder("clip"), bundle)
    tokens = transformers().CLIPTokenizer.from_pretrained(own.folder)
    pipeline = transformers().pipeline(
        "zero-shot-image-classification",
        model=own.model,
        tokenizer=tokens,
        image_processor=own.processor,
    )
    from PIL import Image

    words = list(bundle.manifest.classes)
    expected = pipeline(Image.fromarray(rgb), candidate_labels=words)
    run = ran(bundle, rgb)
    found = decode_classification(run.outputs, run.manifest, stamp_ns=0)
    assert [words[number] for number in found.class_id] == [row["label"] for row in expected]
    close(found.probability, [row["score"] for row in expected])
    assert np.ptp(found.probability) > 0.01


def test_boxes_for_words_are_the_librarys(got: Got, tiny_folder: Folder, rgb: np.ndarray) -> None:
    bundle, phrases = got("owlvit"), ["a red cup", "bowl"]
    own = reference("owlvit", tiny_folder("owlvit"), bundle)
    tokens = transformers().CLIPTokenizer.from_pretrained(own.folder)
    given = tokens(phrases, padding="max_length", max_length=16, return_tensors="pt")
    with torch.inference_mode():
        expected = own.model(pixel_values=own.pixels(rgb, bundle), **given)
    asked = PromptEncoder(bundle).encode(", ".join(phrases))
    assert [phrase.problem for phrase in asked.prompt.phrases] == ["", ""]
    run = ran(bundle, rgb, prompt=asked.inputs)
    scores = run.outputs["scores"][0]
    close(scores[:, :2], expected.logits[0].sigmoid())
    assert not scores[:, 2:].any()  # what nobody asked for
    assert np.abs(scores[:, 0] - scores[:, 1]).max() > 0.01
    centre, size = expected.pred_boxes[0].split(2, dim=1)
    corners = torch.cat((centre - size / 2, centre + size / 2), dim=1) * 64
    close(run.outputs["boxes_xyxy"][0], corners)
