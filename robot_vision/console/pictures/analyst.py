"""Analyses clients' pictures with separate models, so that the live ones are not interrupted. The
models are loaded on first use and run on one thread.

Pictures are independent: nothing is tracked.
"""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from time import perf_counter

import numpy as np
from jaxtyping import UInt8

from robot_vision.console.analysis_schema import (
    Analysis,
    AnalyzedDepth,
    AnalyzedFeatures,
    AnalyzedPicture,
    Similarity,
)
from robot_vision.console.class_schema import AnalyzedSegmentation
from robot_vision.console.pictures.class_pictures import segmentation_picture
from robot_vision.console.pictures.decoder import Decoder
from robot_vision.console.pictures.encoding import FeatureColors, depth_picture, jpeg, png
from robot_vision.console.pictures.kept_images import KeptImages
from robot_vision.console.pictures.selected_detections import detected, overlay
from robot_vision.console.pictures.similar_frames import SimilarFrames
from robot_vision.console.pictures.uploads import is_video
from robot_vision.console.problems import ConsoleError
from robot_vision.console.schema import Task
from robot_vision.console.state.class_views import frame_classes, pixel_classes
from robot_vision.core.interfaces import Perceiver
from robot_vision.core.parameters.config import ServiceConfig
from robot_vision.core.parameters.console_config import LimitsConfig
from robot_vision.core.results.keypoints import bones_of
from robot_vision.core.types import Depth, Features, Frame, Percept, SemanticMap
from robot_vision.perception.perceiver import build_perceiver

_OVERLAY_WIDTH_PX = 1280
_JPEG_QUALITY = 85


@dataclass(frozen=True, kw_only=True, eq=False)
class Upload:
    """A file as received, and a name for messages: clients' file names are not repeated."""

    name: str
    data: bytes


@dataclass(frozen=True, kw_only=True, eq=False)
class _Picture:
    rgb: UInt8[np.ndarray, "h w 3"]
    time_s: float | None = None


class Analyst:
    """One analysis at a time, in its own thread; a few may queue, more are rejected.

    `index` is the folder of an index of similar frames, or empty.
    """

    def __init__(self, service: ServiceConfig, limits: LimitsConfig, *, index: str = "") -> None:
        self._service = service.model_copy(update={"threads": 1, "spin": False})
        self._limits = limits
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="console-analyst")
        self._waiting = 0
        self._closing = False
        self._is_working = False
        self._decoder = Decoder(limits)
        self._perceiver: Perceiver | None = None
        self.images = KeptImages(limits.kept_mb * 1e6)
        self._similar = SimilarFrames(index, self._service)

    async def analyze(self, uploads: Sequence[Upload], tasks: Sequence[Task]) -> Analysis:
        """Raises `ConsoleError` for unreadable input, or while too many wait."""
        if self._waiting > self._limits.waiting_analyses:
            text = f"{self._waiting} analyses are waiting already: try again in a few seconds"
            raise ConsoleError(503, text)
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._thread, self._work, uploads, tasks)
        finally:
            self._waiting -= 1

    @property
    def busy(self) -> bool:
        """Whether an analysis is running: loading and running a model cannot be interrupted."""
        return self._is_working

    def close(self) -> None:
        """Stop after the current picture; pending decoding is not awaited. Thread-safe."""
        self._closing = True
        self._decoder.close()
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _work(self, uploads: Sequence[Upload], tasks: Sequence[Task]) -> Analysis:
        self._is_working = True
        try:
            return self._analyze(uploads, tasks)
        finally:
            self._is_working = False

    def _analyze(self, uploads: Sequence[Upload], tasks: Sequence[Task]) -> Analysis:
        start_s = perf_counter()
        pictures = self._decode(uploads)
        if "similarity" in tasks and len(pictures) != 2:
            raise ConsoleError(
                422,
                f"similarity compares two pictures, but {len(pictures)} were sent: send two "
                "images",
            )
        perceiver = self._models()
        percepts: list[Percept] = []
        answers: list[AnalyzedPicture] = []
        colors = FeatureColors()
        for index, picture in enumerate(pictures):
            if self._closing:
                raise ConsoleError(503, "the console is being shut down")
            frame = Frame(stamp_ns=0, frame_id="upload", rgb=picture.rgb)
            percepts.append(perceiver.perceive(frame))
            answers.append(self._answer(index, picture, frame, percepts[-1], tasks, colors))
        return Analysis(
            model=perceiver.model_id,
            provider=perceiver.provider,
            tasks=list(tasks),
            elapsed_ms=round((perf_counter() - start_s) * 1e3, 3),
            pictures=answers,
            similarity=_similarity(percepts) if "similarity" in tasks else None,
            notes=self._notes(percepts[0], tasks),
        )

    def _notes(self, percept: Percept, tasks: Sequence[Task]) -> list[str]:
        """What the answer leaves out, and why."""
        problem = self._similar.problem if "similar_frames" in tasks else ""
        return [*_missing(percept, tasks), *([problem] if problem else [])]

    def _models(self) -> Perceiver:
        if self._perceiver is None:
            self._perceiver = build_perceiver(self._service)
        return self._perceiver

    def _decode(self, uploads: Sequence[Upload]) -> list[_Picture]:
        if len(uploads) == 1 and is_video(uploads[0].data):
            times_s, frames = self._decoder.video(uploads[0].data, name=uploads[0].name)
            return [_Picture(rgb=rgb, time_s=t) for t, rgb in zip(times_s, frames, strict=True)]
        if any(is_video(upload.data) for upload in uploads):
            raise ConsoleError(422, "a video must be sent alone: send it without other files")
        return [
            _Picture(rgb=self._decoder.picture(upload.data, name=upload.name))
            for upload in uploads
        ]

    def _answer(
        self,
        index: int,
        picture: _Picture,
        frame: Frame,
        percept: Percept,
        tasks: Sequence[Task],
        colors: FeatureColors,
    ) -> AnalyzedPicture:
        perceiver = self._models()
        height_px, width_px = picture.rgb.shape[:2]
        wants_masks = "masks" in tasks
        drawn = overlay(frame, percept, perceiver, tasks)
        return AnalyzedPicture(
            index=index,
            time_s=picture.time_s,
            width_px=width_px,
            height_px=height_px,
            overlay=self.images.add(
                jpeg(drawn, width_px=_OVERLAY_WIDTH_PX, quality=_JPEG_QUALITY)
            ),
            stage_ms={stage: round(s * 1e3, 3) for stage, s in percept.stage_s.items()},
            detections=detected(frame, percept, perceiver.class_names, outlines=wants_masks)
            if wants_masks or "detection" in tasks
            else None,
            bones=bones_of(percept.detections.keypoint_names),
            depth=self._depth(percept.depth) if "depth" in tasks else None,
            features=self._features(percept.features, colors) if "features" in tasks else None,
            classification=frame_classes(percept.classification)
            if percept.classification is not None and "classification" in tasks
            else None,
            segmentation=self._segmentation(percept.segmentation)
            if "segmentation" in tasks
            else None,
            similar_frames=self._similar.of(percept.features, self.images)
            if "similar_frames" in tasks
            else None,
        )

    def _segmentation(self, found: SemanticMap | None) -> AnalyzedSegmentation | None:
        if found is None:
            return None
        image = self.images.add(segmentation_picture(found))
        return AnalyzedSegmentation(classes=pixel_classes(found), image=image)

    def _depth(self, depth: Depth | None) -> AnalyzedDepth | None:
        if depth is None:
            return None
        picture, scale = depth_picture(depth.depth_m)
        valid_m = depth.depth_m[np.isfinite(depth.depth_m)]
        known = len(valid_m) > 0
        return AnalyzedDepth(
            source=depth.source,
            min_m=round(float(valid_m.min()), 4) if known else None,
            max_m=round(float(valid_m.max()), 4) if known else None,
            median_m=round(float(np.median(valid_m)), 4) if known else None,
            valid_fraction=depth.valid_fraction,
            image=self.images.add(picture),
            scale_m=(scale.min_m, scale.max_m),
            colors=list(scale.colors),
        )

    def _features(
        self, features: Features | None, colors: FeatureColors
    ) -> AnalyzedFeatures | None:
        if features is None:
            return None
        channels, rows, columns = features.grid.shape
        return AnalyzedFeatures(
            rows=rows,
            columns=columns,
            channels=channels,
            embedding=[round(value, 6) for value in features.embedding.tolist()],
            image=self.images.add(png(colors.paint(features.grid))),
        )


def _similarity(percepts: Sequence[Percept]) -> Similarity | None:
    first, second = (percept.features for percept in percepts)
    if first is None or second is None:
        return None
    return Similarity(cosine=round(float(first.embedding @ second.embedding), 6))


def _missing(percept: Percept, tasks: Sequence[Task]) -> list[str]:
    """Requested outputs that the model does not have, as text: the answer leaves them out."""
    lacks = {
        "depth": percept.depth is None,
        "masks": percept.detections.mask is None,
        "features": percept.features is None,
        "similarity": percept.features is None,
        "similar_frames": percept.features is None,
        "classification": percept.classification is None,
        "segmentation": percept.segmentation is None,
    }
    missing = [f"this model has no {task} output" for task in tasks if lacks.get(task, False)]
    return [*missing, *percept.notes]
