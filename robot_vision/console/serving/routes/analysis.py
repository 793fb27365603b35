"""Routes for analysing clients' pictures."""

from typing import Annotated

from fastapi import APIRouter, File, Form, Path, Response, UploadFile

from robot_vision.console.analysis_schema import Analysis
from robot_vision.console.pictures.analyst import Analyst, Upload
from robot_vision.console.problems import ConsoleError
from robot_vision.console.schema import Task
from robot_vision.console.serving.routes.refusals import refusals

_MOST_FILES = 8


def analysis_routes(analyst: Analyst) -> APIRouter:
    """Analysis of pictures."""
    router = APIRouter(tags=["analyze"])

    @router.post("/api/analyze", responses=refusals(400, 403, 408, 413, 415, 422, 503))
    async def analyze(
        image: Annotated[
            list[UploadFile],
            File(
                description="PNG, JPEG or WebP; or one MP4 or WebM alone", max_length=_MOST_FILES
            ),
        ],
        tasks: Annotated[
            list[Task], Form(description="requested outputs", max_length=20, min_length=1)
        ],
    ) -> Analysis:
        """Analyse pictures, or frames of a short video."""
        names = [f"image {number}" for number in range(1, len(image) + 1)]
        uploads = [
            Upload(name=name, data=await file.read())
            for name, file in zip(names, image, strict=True)
        ]
        return await analyst.analyze(uploads, list(dict.fromkeys(tasks)))

    @router.get(
        "/api/analyze/images/{name}",
        responses={
            **refusals(404, 422),
            200: {"content": {"image/jpeg": {}, "image/png": {}}},
        },
        response_class=Response,
    )
    async def image_of_answer(
        name: Annotated[str, Path(max_length=64, pattern="^[A-Za-z0-9_-]+$")],
    ) -> Response:
        """An image of an analysis; kept for some minutes."""
        picture = analyst.images.find(name)
        if picture is None:
            raise ConsoleError(404, "this image has expired: analyse again")
        return Response(picture.data, media_type=f"image/{picture.format}")

    return router
