"""Segments everything in a picture: a grid of points as prompts, confident, distinct masks."""

import numpy as np
from jaxtyping import Float32

from robot_vision.core.parameters.params import Params, param
from robot_vision.segment.masks import Segment, without_doubles
from robot_vision.segment.prompt import Prompt
from robot_vision.segment.segmenter import Embedding, Segmenter


class EverythingOptions(Params):
    """Defaults of SAM's own automatic mode."""

    points_per_side: int = param(32, "points along each side of the grid", ge=1, le=128)
    points_at_once: int = param(64, "points per run of the decoder", ge=1, le=1024)
    least_score: float = param(0.88, "masks with a lower predicted IoU are dropped", ge=0, le=1)
    least_stability: float = param(0.95, "masks with a lower stability are dropped", ge=0, le=1)
    most_overlap: float = param(
        0.7, "IoU of boxes above which the worse of two masks is a duplicate", ge=0, le=1
    )


def segment_everything(
    segmenter: Segmenter, embedding: Embedding, options: EverythingOptions | None = None
) -> tuple[Segment, ...]:
    """Masks by falling score; one may lie within another, as a part within its object."""
    options = options or EverythingOptions()
    prompts = [_at(point) for point in grid_px(embedding, options.points_per_side)]
    found: list[Segment] = []
    for start in range(0, len(prompts), options.points_at_once):
        part = prompts[start : start + options.points_at_once]
        candidates = segmenter.candidates(embedding, part, several=True)
        scores = candidates.score.reshape(-1)
        maps = candidates.logits.reshape(-1, *candidates.logits.shape[2:])
        good = np.flatnonzero((scores > options.least_score) | (options.least_score <= 0))
        for row in good:  # scores first: most masks never need upsampling to the picture's size
            segment = segmenter.finish(embedding, maps[row], float(scores[row]))
            if segment.stability > options.least_stability or options.least_stability <= 0:
                found.append(segment)
    boxes = np.array([segment.box_xyxy_px for segment in found], np.float32).reshape(-1, 4)
    score = np.array([segment.score for segment in found], np.float32)
    return tuple(found[n] for n in without_doubles(boxes, score, most_iou=options.most_overlap))


def grid_px(embedding: Embedding, per_side: int) -> Float32[np.ndarray, "n 2"]:
    """Points evenly over the picture, row by row, half a step from its edges."""
    view = embedding.view
    step = np.linspace(1 / (2 * per_side), 1 - 1 / (2 * per_side), per_side, dtype=np.float32)
    x, y = np.meshgrid(step * view.width_px, step * view.height_px)
    return np.stack([x, y], axis=-1).reshape(-1, 2).astype(np.float32)


def _at(point: Float32[np.ndarray, "2"]) -> Prompt:
    return Prompt(point_xy_px=point[None], is_object=np.array([True]))
