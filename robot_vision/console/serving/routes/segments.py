"""HTTP routes for segments of clients' pictures and of the live stream."""

from typing import Annotated

from fastapi import APIRouter, File, Form, UploadFile
from fastapi.concurrency import run_in_threadpool
from pydantic import ValidationError

from robot_vision.console.command_schema import Outcome
from robot_vision.console.problems import ConsoleError, in_words
from robot_vision.console.segment_schema import (
    LiveSegmentsState,
    PictureSegments,
    SegmentRequest,
)
from robot_vision.console.segments.live import Segmentation
from robot_vision.console.segments.picture import PictureSegmenter
from robot_vision.console.serving.routes.refusals import refusals
from robot_vision.core.errors import ConfigError
from robot_vision.segment.live.requests import LiveRequest

_LONGEST = 16_000
_ANSWERS = refusals(400, 403, 408, 409, 413, 415, 422, 503)


def segment_routes(pictures: PictureSegmenter, live: Segmentation) -> APIRouter:
    """Segments by pointing."""
    router = APIRouter(tags=["segment"], responses=_ANSWERS)

    @router.post("/api/segment")
    async def segment(
        image: Annotated[UploadFile, File(description="PNG, JPEG or WebP")],
        request: Annotated[
            str,
            Form(
                description="a `SegmentRequest` in JSON",
                max_length=_LONGEST,
                examples=['{"prompts": [{"points": [[320, 240]]}]}'],
            ),
        ],
    ) -> PictureSegments:
        """Masks of the objects pointed at in a picture; further clicks on it are fast."""
        try:
            asked = SegmentRequest.model_validate_json(request)
        except ValidationError as error:
            raise ConsoleError(422, in_words(error.errors())) from error
        return await pictures.segment(await image.read(), asked)

    @router.get("/api/segment/live")
    async def state() -> LiveSegmentsState:
        """Objects followed on the live stream, and the last answers."""
        return live.state()

    @router.post("/api/segment/live")
    async def ask(request: LiveRequest) -> Outcome:
        """Point at an object in the live picture, follow it, or release it; the answer comes
        later."""
        if request.op in ("hold", "once"):
            try:
                request.prompt()
            except ConfigError as error:
                raise ConsoleError(422, str(error)) from error
        outcome = await run_in_threadpool(live.ask, request)
        if not outcome.done:
            raise ConsoleError(409, outcome.message)
        return outcome

    return router
