"""Segments of clients' pictures: a separate model in a separate thread.

A picture sent again with another click is not encoded again.
"""

import asyncio
import hashlib
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from secrets import token_urlsafe
from time import perf_counter

import numpy as np

from robot_vision.console.pictures.decoder import Decoder
from robot_vision.console.pictures.encoding import labels_png
from robot_vision.console.pictures.kept_images import KeptImages
from robot_vision.console.problems import ConsoleError
from robot_vision.console.segment_schema import (
    PicturePrompt,
    PictureSegments,
    SegmentRequest,
    SegmentView,
)
from robot_vision.core.errors import ConfigError, RobotVisionError
from robot_vision.core.parameters.console_config import LimitsConfig
from robot_vision.model_store.segmenters import find_segmenter
from robot_vision.segment.everything import EverythingOptions, segment_everything
from robot_vision.segment.masks import Segment
from robot_vision.segment.output import MOST_LABELS, described, label_image
from robot_vision.segment.prompt import make_prompt
from robot_vision.segment.segmenter import Embedding, Segmenter

_KEPT_EMBEDDINGS = 4
_KEPT_MASKS = 64


class PictureSegmenter:
    """One request at a time; a few may queue, more are rejected.

    Without `model`, every request is rejected. The bundle is loaded on first use.
    """

    def __init__(self, model: str, limits: LimitsConfig, images: KeptImages) -> None:
        self._model, self._limits, self._images = model, limits, images
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="console-segments")
        self._waiting = 0
        self._decoder = Decoder(limits)
        self._segmenter: Segmenter | None = None
        self._embeddings: OrderedDict[str, Embedding] = OrderedDict()
        self._earlier: OrderedDict[str, np.ndarray] = OrderedDict()
        self.busy = False

    async def segment(self, data: bytes, request: SegmentRequest) -> PictureSegments:
        """Raises `ConsoleError` for invalid input, or while too many wait."""
        if not self._model:
            text = (
                "no model for segmentation by prompts: set the console's parameter segment_model"
            )
            raise ConsoleError(503, text)
        if self._waiting > self._limits.waiting_analyses:
            text = f"{self._waiting} requests are waiting already: try again in a few seconds"
            raise ConsoleError(503, text)
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._thread, self._work, data, request)
        finally:
            self._waiting -= 1

    def close(self) -> None:
        self._decoder.close()
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _work(self, data: bytes, request: SegmentRequest) -> PictureSegments:
        self.busy = True
        try:
            return self._answer(data, request)
        except ConfigError as error:
            raise ConsoleError(422, str(error)) from error
        except RobotVisionError as error:
            raise ConsoleError(503, str(error)) from error
        finally:
            self.busy = False

    def _answer(self, data: bytes, request: SegmentRequest) -> PictureSegments:
        start_s = perf_counter()
        if request.everything == bool(request.prompts):
            raise ConsoleError(422, "expected either prompts or everything, not both or neither")
        segmenter = self._loaded()
        embedding = self._embedding(segmenter, data)
        if request.everything:
            found = [(None, one) for one in self._everything(segmenter, embedding, request)]
        else:
            found = [
                (number, one)
                for number, prompt in enumerate(request.prompts)
                for one in self._prompted(segmenter, embedding, prompt)
            ]
        masks = [one for _, one in islice(found, MOST_LABELS)]
        return PictureSegments(
            model=segmenter.manifest.model_id,
            provider=segmenter.provider,
            width_px=embedding.view.width_px,
            height_px=embedding.view.height_px,
            segments=[self._view(number, one) for number, one in found],
            mask=self._images.add(labels_png(label_image(masks))) if masks else None,
            elapsed_ms=round((perf_counter() - start_s) * 1e3, 3),
        )

    def _loaded(self) -> Segmenter:
        if self._segmenter is None:
            self._segmenter = Segmenter(find_segmenter(self._model), threads=1)
        return self._segmenter

    def _embedding(self, segmenter: Segmenter, data: bytes) -> Embedding:
        key = hashlib.sha256(data).hexdigest()
        known = self._embeddings.pop(key, None)
        if known is None:
            known = segmenter.embed(self._decoder.picture(data, name="the picture"))
        self._embeddings[key] = known
        while len(self._embeddings) > _KEPT_EMBEDDINGS:
            self._embeddings.popitem(last=False)
        return known

    def _everything(
        self, segmenter: Segmenter, embedding: Embedding, request: SegmentRequest
    ) -> tuple[Segment, ...]:
        options = EverythingOptions(
            points_per_side=request.points_per_side,
            least_score=request.least_score,
            least_stability=request.least_stability,
        )
        return segment_everything(segmenter, embedding, options)

    def _prompted(
        self, segmenter: Segmenter, embedding: Embedding, asked: PicturePrompt
    ) -> tuple[Segment, ...]:
        if asked.earlier and asked.earlier not in self._earlier:
            text = f"the earlier segment {asked.earlier[:64]!r} has expired: leave it out"
            raise ConfigError(text)
        prompt = make_prompt(
            points=asked.points,
            not_points=asked.not_points,
            box=asked.box,
            mask_logits=self._earlier[asked.earlier] if asked.earlier else None,
        )
        several = True if asked.all_masks else None
        found = segmenter.segment(embedding, prompt, several=several)
        return found if asked.all_masks else found[:1]

    def _view(self, number: int | None, segment: Segment) -> SegmentView:
        name = token_urlsafe(12)
        self._earlier[name] = segment.logits
        while len(self._earlier) > _KEPT_MASKS:
            self._earlier.popitem(last=False)
        return SegmentView(id=name, prompt=number, **described(segment))
