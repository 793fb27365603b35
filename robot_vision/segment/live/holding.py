"""Holds selected objects on a live stream: segments them now and then, tracks carry them between.

The encoder runs once a period, and then each held object is segmented again: its track's
box in that frame is the prompt, or its earlier mask if no track fits. In the frames
between, a mask moves and grows with its track's box.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Literal

import cv2
import numpy as np
from jaxtyping import Bool, Float32

from robot_vision.core.boxes import pairwise_iou
from robot_vision.core.errors import RobotVisionError
from robot_vision.core.parameters.groups.segment_config import SegmentConfig
from robot_vision.core.types import Perception
from robot_vision.segment.everything import EverythingOptions, segment_everything
from robot_vision.segment.live.requests import LiveRequest
from robot_vision.segment.masks import Segment, box_of
from robot_vision.segment.prompt import Prompt
from robot_vision.segment.segmenter import Embedding, Segmenter

How = Literal["segmented", "carried"]
_LEAST_TRACK_IOU = 0.5
_LEAST_KEPT_IOU = 0.3
_BOX_MARGIN = 0.1


@dataclass(frozen=True, kw_only=True, eq=False)
class Held:
    """A held object. `segment` is from `segmented_ns`, when its track's box was `box_then`."""

    id: str
    segment: Segment
    segmented_ns: int
    seen_ns: int
    track_id: int | None
    box_then: Float32[np.ndarray, "4"]


@dataclass(frozen=True, kw_only=True, eq=False)
class ShownObject:
    """An object in one frame: its mask is from this frame, or carried over from an earlier one."""

    id: str
    segment: Segment
    how: How
    mask_age_s: float
    track_id: int | None


@dataclass(frozen=True, kw_only=True, eq=False)
class Answer:
    """The answer for one frame. `request` names the one-off request; empty: for held objects.

    `problems` describe what was refused and what was lost.
    """

    perception: Perception
    shown: tuple[ShownObject, ...] = ()
    request: str = ""
    problems: tuple[str, ...] = ()


class Holder:
    """Takes requests and frames in one thread and returns what was found. It owns no clock."""

    def __init__(self, segmenter: Segmenter, config: SegmentConfig) -> None:
        self._segmenter, self._config = segmenter, config
        self._held: dict[str, Held] = {}
        self._embedded_ns: int | None = None
        self._scene: tuple[int, tuple[int, ...]] | None = None
        self._numbers = count(1)

    @property
    def is_idle(self) -> bool:
        return not self._held

    def step(self, perception: Perception, requests: Sequence[LiveRequest]) -> list[Answer]:
        """One answer per request, then one for the objects held in this frame."""
        problems = self._forget_old_scene(perception)
        for request in requests:
            if request.op == "release":
                problems += self._release(request.id)
        asked = [request for request in requests if request.op != "release"]
        was_idle = not self._held
        answers: list[Answer] = []
        if asked or (self._held and self._is_due(perception.stamp_ns)):
            embedding = self._segmenter.embed(perception.frame.rgb)
            self._embedded_ns = perception.stamp_ns
            problems += self._renew(perception, embedding)
            for request in asked:
                answers += self._asked(perception, embedding, request)
        shown = self._shown(perception)
        if not (was_idle and self.is_idle) or problems or requests:
            held = Answer(perception=perception, shown=shown, problems=tuple(problems))
            answers.append(held)
        return answers

    def _is_due(self, stamp_ns: int) -> bool:
        before = self._embedded_ns
        return before is None or abs(stamp_ns - before) >= self._config.embed_period_s * 1e9

    def _forget_old_scene(self, perception: Perception) -> list[str]:
        scene = perception.tracks.epoch, perception.frame.rgb.shape
        is_another = self._scene is not None and scene != self._scene and bool(self._held)
        self._scene = scene
        if not is_another:
            return []
        self._held.clear()
        return ["tracking restarted, or the picture size changed: nothing is held any more"]

    def _release(self, id: str) -> list[str]:
        if not id:
            self._held.clear()
        elif self._held.pop(id, None) is None:
            return [f"nothing named {id!r} is held; held: {', '.join(self._held) or 'nothing'}"]
        return []

    def _asked(
        self, perception: Perception, embedding: Embedding, request: LiveRequest
    ) -> list[Answer]:
        name = request.id or str(next(self._numbers))

        def refused(why: str) -> list[Answer]:
            return [Answer(perception=perception, request=name, problems=(why,))]

        try:
            if request.op == "everything":
                options = EverythingOptions(points_per_side=self._config.points_per_side)
                found = segment_everything(self._segmenter, embedding, options)
            else:
                found = self._segmenter.segment(embedding, request.prompt())[:1]
        except RobotVisionError as error:
            return refused(str(error))
        if request.op == "hold":
            if not found[0].area_px:
                return refused("the model finds nothing there: its mask is empty")
            if name not in self._held and len(self._held) >= self._config.most_held:
                return refused(
                    f"{len(self._held)} objects are held already, the most that segment.most_held "
                    "allows: release one"
                )
            self._held[name] = _hold(name, found[0], perception)
            return []
        shown = tuple(
            ShownObject(
                id=f"{name}.{n}", segment=one, how="segmented", mask_age_s=0.0, track_id=None
            )
            for n, one in enumerate(found, start=1)
        )
        return [Answer(perception=perception, request=name, shown=shown)]

    def _renew(self, perception: Perception, embedding: Embedding) -> list[str]:
        """Segment the held objects in this frame; returns descriptions of lost ones."""
        lost: list[str] = []
        for held in list(self._held.values()):
            now = self._renewed(held, perception, embedding)
            if now is None:
                del self._held[held.id]
                lost.append(f"{held.id!r} is lost: {_why_lost(held)}")
            else:
                self._held[held.id] = now
        return lost

    def _renewed(self, held: Held, perception: Perception, embedding: Embedding) -> Held | None:
        box = _track_box(perception, held.track_id)
        if held.track_id is not None and box is None:
            unseen_s = (perception.stamp_ns - held.seen_ns) / 1e9
            return held if unseen_s <= self._config.lost_after_s else None
        by_mask = box is None
        try:
            prompt = self._again(held, box, perception)
            found = self._segmenter.segment(embedding, prompt)[0]
        except RobotVisionError:
            return None  # the box left the picture
        if not found.area_px or (
            by_mask and _iou(found.mask, held.segment.mask) < _LEAST_KEPT_IOU
        ):
            return None
        track_id = held.track_id
        if track_id is None:
            return _hold(held.id, found, perception)
        return replace(
            held,
            segment=found,
            segmented_ns=perception.stamp_ns,
            seen_ns=perception.stamp_ns,
            box_then=box if box is not None else held.box_then,
        )

    def _again(
        self, held: Held, box: Float32[np.ndarray, "4"] | None, perception: Perception
    ) -> Prompt:
        height_px, width_px = perception.frame.rgb.shape[:2]
        around = held.segment.box_xyxy_px if box is None else box
        with_mask = box is None and self._segmenter.pair.takes_masks
        around = _within(around, width_px, height_px, margin=_BOX_MARGIN if box is None else 0.0)
        if not self._segmenter.pair.takes_boxes:
            middle = (around[:2] + around[2:]) / 2
            return Prompt(point_xy_px=middle[None], is_object=np.array([True]))
        return Prompt(
            point_xy_px=np.zeros((0, 2), np.float32),
            is_object=np.zeros(0, bool),
            box_xyxy_px=around,
            mask_logits=held.segment.logits if with_mask else None,
        )

    def _shown(self, perception: Perception) -> tuple[ShownObject, ...]:
        return tuple(self._carried(held, perception) for held in self._held.values())

    def _carried(self, held: Held, perception: Perception) -> ShownObject:
        age_s = (perception.stamp_ns - held.segmented_ns) / 1e9
        box = _track_box(perception, held.track_id)
        segment = held.segment
        if age_s and box is not None:
            segment = _moved(segment, held.box_then, box)
            self._held[held.id] = replace(held, seen_ns=perception.stamp_ns)
        return ShownObject(
            id=held.id,
            segment=segment,
            how="carried" if age_s else "segmented",
            mask_age_s=age_s,
            track_id=held.track_id,
        )


def _hold(id: str, segment: Segment, perception: Perception) -> Held:
    """Attach it to the track whose box fits the mask best, or to its mask if none fits."""
    tracks = perception.tracks
    overlap = pairwise_iou(segment.box_xyxy_px[None], tracks.box_xyxy_px)[0]
    best = int(overlap.argmax()) if len(overlap) else -1
    fits = best >= 0 and overlap[best] >= _LEAST_TRACK_IOU
    return Held(
        id=id,
        segment=segment,
        segmented_ns=perception.stamp_ns,
        seen_ns=perception.stamp_ns,
        track_id=int(tracks.track_id[best]) if fits else None,
        box_then=tracks.box_xyxy_px[best] if fits else segment.box_xyxy_px,
    )


def _track_box(perception: Perception, track_id: int | None) -> Float32[np.ndarray, "4"] | None:
    if track_id is None:
        return None
    rows = np.flatnonzero(perception.tracks.track_id == track_id)
    return perception.tracks.box_xyxy_px[rows[0]] if len(rows) else None


def _moved(
    segment: Segment, then: Float32[np.ndarray, "4"], now: Float32[np.ndarray, "4"]
) -> Segment:
    """The mask, moved and scaled with the box."""
    scale = (now[2:] - now[:2]) / np.maximum(then[2:] - then[:2], 1.0)
    shift = now[:2] - scale * then[:2]
    matrix = np.array([[scale[0], 0, shift[0]], [0, scale[1], shift[1]]], np.float64)
    height_px, width_px = segment.mask.shape
    mask = cv2.warpAffine(
        segment.mask.astype(np.uint8), matrix, (width_px, height_px), flags=cv2.INTER_NEAREST
    ).astype(bool)
    return replace(segment, mask=mask, box_xyxy_px=box_of(mask))


def _within(
    box: Float32[np.ndarray, "4"], width_px: int, height_px: int, *, margin: float
) -> Float32[np.ndarray, "4"]:
    grow = margin * np.maximum(box[2:] - box[:2], 1.0)
    size = np.array([width_px, height_px], np.float32)
    low, high = np.clip(box[:2] - grow, 0, size), np.clip(box[2:] + grow, 0, size)
    return np.concatenate([low, high]).astype(np.float32)


def _iou(a: Bool[np.ndarray, "h w"], b: Bool[np.ndarray, "h w"]) -> float:
    union = np.count_nonzero(a | b)
    return np.count_nonzero(a & b) / union if union else 0.0


def _why_lost(held: Held) -> str:
    if held.track_id is not None:
        return f"its track {held.track_id} is gone, or left the picture"
    return "nothing similar is at its last place, and no track followed it"
