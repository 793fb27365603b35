"""Runs a bundle on a camera's frame like the service: the cost of a model per frame."""

from collections.abc import Callable
from dataclasses import replace
from itertools import count

from robot_vision.core.clock import NS_PER_S
from robot_vision.core.parameters.config import ServiceConfig
from robot_vision.model_store.store import Bundle
from robot_vision.perception.detect import Detector
from robot_vision.perception.model import load_model
from robot_vision.perception.whole_picture import classification_of, segmentation_of
from robot_vision.replay.reading.example_frames import load_frames

WIDTH_PX, HEIGHT_PX = 640, 480
_FINDS_BOXES = ("detection", "multitask")
_MAPS = ("features", "depth", "depth_m")  # outputs that are read if a model has them


def frame_run(bundle: Bundle, *, threads: int) -> Callable[[], None]:
    """Runs the bundle on a recorded frame of 640x480 with depth: resizing, network, decoding."""
    config = ServiceConfig(device="cpu", threads=threads)
    manifest, model = bundle.manifest, load_model(bundle, config)
    detector = Detector(manifest, config.detector) if manifest.task in _FINDS_BOXES else None
    (frame,) = load_frames(None, count=1, width_px=WIDTH_PX, height_px=HEIGHT_PX)
    stamps_ns = count(0, NS_PER_S // 30)

    def run() -> None:
        stamp_ns = next(stamps_ns)
        found = model.run(replace(frame, stamp_ns=stamp_ns))
        if detector is not None:
            detector.detections(found, stamp_ns=stamp_ns)
        classification_of(found, stamp_ns=stamp_ns)
        segmentation_of(found, stamp_ns=stamp_ns)
        for role in _MAPS:
            found.grid(role)

    return run
