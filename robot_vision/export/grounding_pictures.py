"""Shows pictures with text queries: what was reported for each phrase, right or wrong."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from robot_vision.core.types import Detections
from robot_vision.training.data.samples.samples import Sample
from robot_vision.training.data.words.phrases import Query
from robot_vision.training.metrics.grounding import verdict_of
from robot_vision.training.metrics.tiles import captioned, write_tiles

_COLUMNS, _WIDTH_PX = 4, 320
_LINES = 6
# One colour per phrase, in order.
_COLORS = (
    (255, 0, 200),
    (0, 190, 255),
    (255, 170, 0),
    (60, 220, 60),
    (150, 90, 255),
    (255, 60, 60),
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Tile:
    """A picture and the boxes found for each of its queries, by falling score."""

    sample: Sample
    answers: tuple[tuple[Query, Detections], ...]


def draw_tiles(file: Path, tiles: Sequence[Tile], *, threshold: float) -> None:
    """Each picture with the first boxes reported, above its queries."""
    drawn = [_drawn(tile, threshold) for tile in tiles]
    if drawn:
        write_tiles(file, drawn, columns=min(_COLUMNS, len(drawn)))


def _drawn(tile: Tile, threshold: float) -> UInt8[np.ndarray, "h w 3"]:
    rgb = tile.sample.rgb
    scale = _WIDTH_PX / rgb.shape[1]
    picture = cv2.resize(rgb, (_WIDTH_PX, round(scale * rgb.shape[0])))
    lines: list[str] = []
    for number, (query, found) in enumerate(tile.answers[:_LINES]):
        is_reported = len(found) > 0 and found.score[0] >= threshold
        if is_reported:
            _box(picture, found.box_xyxy_px[0] * scale, number)
        lines.append(
            f"{number + 1} {query.text}: {_outcome(tile.sample, query, found, threshold)}"
        )
    return captioned(picture, [*lines, *([""] * (_LINES - len(lines)))])


def _outcome(sample: Sample, query: Query, found: Detections, threshold: float) -> str:
    """The outcome as text; wrong ones are in capitals."""
    verdict = verdict_of(
        query,
        box_xyxy_px=found.box_xyxy_px,
        score=found.score,
        truth_xyxy_px=sample.box_xyxy_px,
    )
    if verdict.score < threshold:
        return "MISSED" if query.is_there else "nothing, rightly"
    if not query.is_there:
        return f"FALSE, {verdict.score:.2f}"
    return f"{'right' if verdict.is_right else 'WRONG'}, {verdict.score:.2f}"


def _box(picture: np.ndarray, box_xyxy_px: np.ndarray, number: int) -> None:
    left, top, right, bottom = box_xyxy_px.round().astype(int).tolist()
    color = _COLORS[number % len(_COLORS)]
    cv2.rectangle(picture, (left, top), (right, bottom), color, 2, cv2.LINE_AA)
    at = (left + 2, min(top + 12, picture.shape[0] - 2))
    for ink, width in (((0, 0, 0), 3), (color, 1)):
        cv2.putText(
            picture, str(number + 1), at, cv2.FONT_HERSHEY_SIMPLEX, 0.42, ink, width, cv2.LINE_AA
        )
