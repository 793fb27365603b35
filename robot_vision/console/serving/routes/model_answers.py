"""Routes of a multimodal benchmark: questions, models' answers, pictures."""

from pathlib import Path as FilePath
from typing import Annotated

from fastapi import APIRouter, Path, Response

from robot_vision.console.problems import ConsoleError
from robot_vision.console.serving.routes.refusals import refusals
from robot_vision.core.errors import RobotVisionError
from robot_vision.multimodal.results import Results, read_results, shown_file


def model_answer_routes(folder: str) -> APIRouter:
    """Results of a multimodal benchmark, read again on each request; no models run here."""
    router = APIRouter(tags=["multimodal"])

    @router.get("/api/multimodal", responses=refusals(404, 503))
    def multimodal() -> Results:
        """Questions about pictures, the models' answers, and their scores."""
        if not folder:
            raise ConsoleError(404, "the console was started without a benchmark (--multimodal)")
        try:
            return read_results(FilePath(folder))
        except RobotVisionError as error:
            raise ConsoleError(503, str(error)) from error

    @router.get(
        "/api/multimodal/pictures/{number}",
        responses={**refusals(404, 422), 200: {"content": {"image/jpeg": {}}}},
        response_class=Response,
    )
    def picture_that_was_shown(
        number: Annotated[int, Path(ge=0, le=9999)], card: bool = False
    ) -> Response:
        """A picture as the models saw it, with or without the card that they had to read."""
        file = shown_file(FilePath(folder), number, has_card=card)
        if not folder or not file.is_file():
            raise ConsoleError(404, f"the benchmark has no picture {number}")
        return Response(file.read_bytes(), media_type="image/jpeg")

    return router
