"""Ours against transformers' SamModel, its processor and its mask-generation pipeline.

The same weights: ours by ONNX Runtime, theirs by torch. Masks are identical, scores within 1e-4.
"""

import warnings
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from references import torchvision, transformers
from sam_models import SIDE_PX, picture, processor

from robot_vision.segment.everything import EverythingOptions, segment_everything
from robot_vision.segment.masks import Segment
from robot_vision.segment.picture import padded, pixels_of, view_of
from robot_vision.segment.prompt import make_prompt
from robot_vision.segment.resize import resize_smoothly

torchvision()

SIZES = [(100, 72), (72, 100), (128, 128), (311, 97)]
PROMPTS = {
    "point": {"points": [(50.0, 30.0)]},
    "points on and off": {"points": [(20.0, 30.0), (60.5, 40.0)], "not_points": [(5.0, 60.0)]},
    "box": {"box": (10.0, 12.0, 70.0, 60.0)},
    "box and points": {
        "box": (10.0, 12.0, 70.0, 60.0),
        "points": [(30.0, 30.0)],
        "not_points": [(65.0, 55.0)],
    },
}


@pytest.mark.parametrize("size", SIZES)
def test_pixels_are_the_librarys(tiny_sam: Any, size: tuple[int, int]) -> None:
    rgb = picture(1, width_px=size[0], height_px=size[1])
    theirs = processor(tiny_sam.model)(rgb, return_tensors="np")
    spec = tiny_sam.bundle.manifest.picture
    view = view_of(spec, width_px=size[0], height_px=size[1])
    assert (view.used_height_px, view.used_width_px) == tuple(theirs["reshaped_input_sizes"][0])
    ours = padded(pixels_of(rgb, spec, view), SIDE_PX)
    np.testing.assert_allclose(ours, theirs["pixel_values"], rtol=0, atol=1e-5)


@pytest.mark.parametrize("after", [(64, 49), (128, 91), (33, 200)])
def test_resizing_has_the_very_bits_of_torch(after: tuple[int, int]) -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (77, 100, 3), dtype=np.uint8)
    theirs = torch.nn.functional.interpolate(
        torch.from_numpy(rgb).permute(2, 0, 1)[None],
        (after[1], after[0]),
        mode="bilinear",
        antialias=True,
        align_corners=False,
    )[0]
    ours = resize_smoothly(rgb, width_px=after[0], height_px=after[1])
    np.testing.assert_array_equal(ours, theirs.permute(1, 2, 0).numpy())


def library_answer(
    tiny_sam: Any, rgb: np.ndarray, prompt: dict[str, Any], *, several: bool
) -> Any:
    library = transformers()
    whole = library.SamProcessor(image_processor=processor(tiny_sam.model))
    given: dict[str, Any] = {}
    points = [*prompt.get("points", []), *prompt.get("not_points", [])]
    if points:
        labels = [1] * len(prompt.get("points", [])) + [0] * len(prompt.get("not_points", []))
        given |= {"input_points": [[list(map(list, points))]], "input_labels": [[labels]]}
    if "box" in prompt:
        given["input_boxes"] = [[list(prompt["box"])]]
    fed = whole(rgb, return_tensors="pt", **given)
    sizes = fed.pop("original_sizes"), fed.pop("reshaped_input_sizes")
    with torch.inference_mode():
        answer = tiny_sam.model(**fed, multimask_output=several)
    masks = whole.image_processor.post_process_masks(answer.pred_masks, *sizes)
    return masks[0][0].numpy(), answer.iou_scores[0, 0].numpy(), answer.pred_masks[0, 0].numpy()


@pytest.mark.parametrize("several", [True, False], ids=["several", "one"])
@pytest.mark.parametrize("name", PROMPTS)
def test_prompts_give_the_librarys_masks(tiny_sam: Any, name: str, several: bool) -> None:
    rgb, segmenter = picture(2), tiny_sam.segmenter
    masks, scores, logits = library_answer(tiny_sam, rgb, PROMPTS[name], several=several)
    assert 0 < masks.mean() < 1
    embedding = segmenter.embed(rgb)
    found = segmenter.candidates(embedding, [make_prompt(**PROMPTS[name])], several=several)
    np.testing.assert_allclose(found.score[0], scores, atol=1e-4)
    np.testing.assert_allclose(found.logits[0], logits, atol=1e-4 * np.abs(logits).max())
    ours = [segmenter.finish(embedding, one, 0.0).mask for one in found.logits[0]]
    np.testing.assert_array_equal(np.stack(ours), masks)


def test_an_earlier_mask_gives_the_librarys_masks(tiny_sam: Any) -> None:
    rgb, segmenter = picture(3), tiny_sam.segmenter
    embedding = segmenter.embed(rgb)
    first = segmenter.segment(embedding, make_prompt(points=[(50, 30)]))[0]
    pixels = processor(tiny_sam.model)(rgb, return_tensors="pt")["pixel_values"]
    point = torch.tensor(embedding.view.to_input(np.array([[50, 30]], np.float32)))
    with torch.inference_mode():
        theirs = tiny_sam.model(
            pixel_values=pixels,
            input_points=point[None, None],
            input_labels=torch.ones(1, 1, 1, dtype=torch.long),
            input_masks=torch.from_numpy(first.logits)[None, None],
            multimask_output=False,
        )
    prompt = make_prompt(points=[(50, 30)], mask_logits=first.logits)
    (again,) = segmenter.segment(embedding, prompt)
    assert again.score == pytest.approx(theirs.iou_scores.item(), abs=1e-4)
    expected = theirs.pred_masks[0, 0, 0].numpy()
    np.testing.assert_allclose(again.logits, expected, atol=1e-4 * np.abs(expected).max())
    assert not np.array_equal(again.mask, first.mask)


def plain_nms(boxes: Any, scores: Any, idxs: Any, iou_threshold: float) -> Any:
    """What torchvision's compiled operator does, which this machine's build of it lacks."""
    assert not idxs.any()
    left = scores.argsort(descending=True, stable=True).tolist()
    kept = []
    while left:
        best = left.pop(0)
        kept.append(best)
        low = torch.maximum(boxes[left, :2], boxes[best, :2])
        high = torch.minimum(boxes[left, 2:], boxes[best, 2:])
        shared = (high - low).clamp(min=0).prod(dim=1)
        areas = (boxes[:, 2:] - boxes[:, :2]).prod(dim=1)
        iou = shared / (areas[left] + areas[best] - shared)
        left = [row for row, overlap in zip(left, iou, strict=True) if not overlap > iou_threshold]
    return torch.tensor(kept, dtype=torch.long)


@pytest.mark.parametrize("sure", [False, True], ids=["all", "the sure ones"])
def test_everything_gives_the_librarys_masks(
    tiny_sam: Any, monkeypatch: pytest.MonkeyPatch, sure: bool
) -> None:
    """Masks of random weights cover all: a high threshold leaves their peaks, here and there."""
    library, rgb, segmenter = transformers(), picture(4), tiny_sam.segmenter
    monkeypatch.setattr("transformers.models.sam.image_processing_sam.batched_nms", plain_nms)
    embedding = segmenter.embed(rgb)
    one = segmenter.candidates(embedding, [make_prompt(points=[(50, 30)])], several=True)
    peaks = segmenter.manifest.model_copy(
        update={"mask_threshold": float(np.quantile(one.logits, 0.98))}
    )
    monkeypatch.setattr(segmenter, "manifest", peaks)
    options = EverythingOptions(points_per_side=6, points_at_once=8, least_score=0)
    options = options.model_copy(update={"least_stability": 0.0})
    ours = segment_everything(segmenter, embedding, options)
    if sure:
        options = options.model_copy(
            update={
                "least_score": between(scores_of(ours), 0.4),
                "least_stability": between(np.array([one.stability for one in ours]), 0.2),
                "most_overlap": 0.6,
            }
        )
        ours = segment_everything(segmenter, embedding, options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        generate = library.pipeline(
            "mask-generation",
            model=tiny_sam.model,
            image_processor=processor(tiny_sam.model),
            device="cpu",
        )
        theirs = generate(
            Image.fromarray(rgb),
            points_per_crop=options.points_per_side,
            points_per_batch=options.points_at_once,
            mask_threshold=peaks.mask_threshold,
            pred_iou_thresh=options.least_score,
            stability_score_thresh=options.least_stability,
            crops_nms_thresh=options.most_overlap,
            output_bboxes_mask=True,
        )
    assert len(ours) == len(theirs["masks"]) >= 2
    np.testing.assert_allclose(scores_of(ours), theirs["scores"].numpy(), atol=1e-4)
    for segment, mask, box in zip(ours, theirs["masks"], theirs["bounding_boxes"], strict=True):
        np.testing.assert_array_equal(segment.mask, np.asarray(mask))
        np.testing.assert_array_equal(segment.box_xyxy_px, box.numpy())


def between(values: np.ndarray, share: float) -> float:
    """A threshold that so many are below, in the gap between two: rounding decides nothing."""
    ordered = np.unique(values)
    below = min(int(share * len(ordered)), max(len(ordered) - 2, 0))
    return float(ordered[below : below + 2].mean())


def scores_of(segments: tuple[Segment, ...]) -> np.ndarray:
    return np.array([segment.score for segment in segments])
