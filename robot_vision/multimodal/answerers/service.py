"""This service as a model: its detector, mask colours, and sentences from both.

It gets questions as data and reads no words: it is not a VLM, but the baseline for one.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Bool, UInt8

from robot_vision.core.parameters.config import ServiceConfig
from robot_vision.core.parameters.params import param
from robot_vision.core.types import Detections, Frame
from robot_vision.multimodal.answerer import (
    Answerer,
    AnswererKind,
    AnswererSpec,
    Reply,
    register_answerer,
)
from robot_vision.multimodal.pictures import Thing
from robot_vision.multimodal.question import KINDS, Question
from robot_vision.perception.perceiver import build_perceiver

_RIM_SHARE = 0.06  # of an object's size to leave out at its rim, where colours mix
# Centres of the named colours, as hue in degrees, saturation and value.
_HUES = (
    (0, "red"),
    (26, "orange"),
    (54, "yellow"),
    (122, "green"),
    (220, "blue"),
    (275, "purple"),
)
_PINK_DEG = (305, 355)
_PINK_SATURATION = 0.6


class ServiceSpec(AnswererSpec):
    model: str = param("native-s", "bundle of a detector")
    threads: int = param(0, "of each run; 0 takes all cores", ge=0, le=64)


class Service:
    """Answers from a detector's findings."""

    def __init__(self, spec: ServiceSpec) -> None:
        config = ServiceConfig(model=spec.model, threads=spec.threads, spin=False)
        self._perceiver = build_perceiver(config)

    def ask(self, question: Question, rgb: UInt8[np.ndarray, "h w 3"]) -> Reply:
        frame = Frame(stamp_ns=0, frame_id="picture", rgb=rgb)
        found = self._perceiver.perceive(frame).detections
        things = seen_things(found, self._perceiver.class_names, rgb)
        return Reply(text=KINDS.get(question.kind).answer(question, things))

    def close(self) -> None:
        self._perceiver.close()


def seen_things(
    found: Detections, class_names: Sequence[str], rgb: UInt8[np.ndarray, "h w 3"]
) -> list[Thing]:
    """Detections as objects with the colour of their masks, the largest first."""
    things = []
    for row, box in enumerate(found.box_xyxy_px):
        mask = _mask_of(found, row, rgb.shape[:2])
        left, top, right, bottom = (float(side) for side in box)
        things.append(
            Thing(
                name=class_names[int(found.class_id[row])],
                color=color_name(rgb[_inner(mask)]),
                area_px=float(mask.sum()),
                box_xyxy_px=(left, top, right, bottom),
                is_clear=True,
            )
        )
    return sorted(things, key=lambda thing: -thing.area_px)


def color_name(pixels: UInt8[np.ndarray, "n 3"]) -> str:
    """The common name of these pixels' colour; empty for none and for grey."""
    if not len(pixels):
        return ""
    median = np.median(pixels, axis=0).astype(np.float32) / 255
    hue, saturation, value = (
        float(part) for part in cv2.cvtColor(median[None, None], cv2.COLOR_RGB2HSV)[0, 0]
    )
    if saturation < 0.2:
        return "white" if value > 0.4 else "black" if value < 0.25 else ""
    if value < 0.13:
        return "black"
    if _PINK_DEG[0] <= hue <= _PINK_DEG[1] and value > 0.45 and saturation < _PINK_SATURATION:
        return "pink"
    name = min(_HUES, key=lambda known: abs((hue - known[0] + 180) % 360 - 180))[1]
    return "brown" if name == "orange" and value < 0.5 else name


def _mask_of(found: Detections, row: int, shape: tuple[int, int]) -> Bool[np.ndarray, "h w"]:
    """The detection's mask in the picture; its box if the model has no masks."""
    out = np.zeros(shape, bool)
    left, top, right, bottom = np.rint(found.box_xyxy_px[row]).astype(int)
    if found.mask is None:
        out[top:bottom, left:right] = True
        return out
    mask = found.mask[row]
    if mask.shape == shape:
        return mask.astype(bool)
    grown = cv2.resize(mask.astype(np.uint8), shape[::-1], interpolation=cv2.INTER_NEAREST)
    return grown.astype(bool)


def _inner(mask: Bool[np.ndarray, "h w"]) -> Bool[np.ndarray, "h w"]:
    """The mask without its rim; unchanged if nothing would be left."""
    size = max(1, round(np.sqrt(mask.sum()) * _RIM_SHARE))
    kernel = np.ones((2 * size + 1, 2 * size + 1), np.uint8)
    inner = cv2.erode(mask.astype(np.uint8), kernel).astype(bool)
    return inner if inner.any() else mask


def build(spec: ServiceSpec, _: Sequence[Question]) -> Answerer:
    return Service(spec)


register_answerer(
    AnswererKind(
        name="service",
        about="this service: a detector, the colours of its masks, sentences from both",
        spec=ServiceSpec,
        build=build,
    )
)
