"""Pictures of the frames worth a look, chosen while the replay runs, a bounded number."""

import base64
from typing import TypedDict

import cv2

from robot_vision.replay.running.runner import Processed
from robot_vision.viz.overlay import draw_overlay

WIDTH_PX = 480
MOST_EVENTS = 6
JPEG_QUALITY = 80


class Thumbnail(TypedDict):
    """A picture as a JPEG in base64, with the frame that it shows and why it is shown."""

    frame: int
    why: str
    jpeg_base64: str


class Thumbnails:
    """Keeps the first frame, records (most objects, slowest, least depth) and some events."""

    def __init__(self) -> None:
        self._records: dict[str, tuple[float, Thumbnail]] = {}
        self._events: list[Thumbnail] = []
        self._event_spacing = 1

    def add(self, done: Processed, *, new_ids: list[int], switched: bool) -> None:
        perception = done.perception
        if done.number == 0:
            self._record("first frame", 0.0, done)
        self._record("most objects", float(len(perception.tracks)), done)
        if done.number > 0:  # the first frame of a model is slow in its own right
            self._record("slowest frame", sum(done.stage_s.values()), done)
        if perception.depth is not None and perception.depth.valid_fraction < 1:
            self._record("least depth", 1.0 - perception.depth.valid_fraction, done)
        if switched:
            self._event("an object may have changed its id", done)
        elif new_ids:
            self._event("new: " + ", ".join(f"track {i}" for i in new_ids), done)

    def chosen(self) -> list[Thumbnail]:
        """In the order of frames, each frame once with all its reasons."""
        by_frame: dict[int, Thumbnail] = {}
        for thumbnail in [*(t for _, t in self._records.values()), *self._events]:
            known = by_frame.setdefault(thumbnail["frame"], thumbnail)
            if known is not thumbnail:
                known["why"] += f"; {thumbnail['why']}"
        return [by_frame[frame] for frame in sorted(by_frame)]

    def _record(self, why: str, value: float, done: Processed) -> None:
        if why not in self._records or value > self._records[why][0] * 1.05:
            self._records[why] = (value, _draw(done, why))

    def _event(self, why: str, done: Processed) -> None:
        """Events early in the recording are thinned out as later ones come."""
        if self._events and done.number - self._events[-1]["frame"] < self._event_spacing:
            return
        self._events.append(_draw(done, why))
        if len(self._events) > MOST_EVENTS:
            self._events = self._events[::2]
            self._event_spacing = max(2 * self._event_spacing, done.number // MOST_EVENTS)


def _draw(done: Processed, why: str) -> Thumbnail:
    rgb = draw_overlay(done.perception)
    height_px = max(round(rgb.shape[0] * WIDTH_PX / rgb.shape[1]), 1)
    small = cv2.resize(rgb, (WIDTH_PX, height_px), interpolation=cv2.INTER_AREA)
    bgr = cv2.cvtColor(small, cv2.COLOR_RGB2BGR)
    _, jpeg = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    text = base64.b64encode(jpeg.tobytes()).decode()
    return Thumbnail(frame=done.number, why=why, jpeg_base64=text)
