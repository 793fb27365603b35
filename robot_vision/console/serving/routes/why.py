"""Routes that explain what a model looks at: in the newest frame, or in a client's picture."""

from typing import Annotated

from fastapi import APIRouter, File, Form, UploadFile
from pydantic import ValidationError

from robot_vision.console.pictures.explainer import Explainer
from robot_vision.console.problems import ConsoleError, in_words
from robot_vision.console.serving.routes.refusals import refusals
from robot_vision.console.state.snapshots import Snapshots
from robot_vision.console.why_schema import TargetText, WayName, Why, WhyModel, WhyRequest


def why_routes(explainer: Explainer, snapshots: Snapshots) -> APIRouter:
    """What a model looks at."""
    router = APIRouter(tags=["why"])

    @router.post("/api/why", responses=refusals(400, 403, 408, 413, 422, 503))
    async def why(asked: WhyRequest) -> Why:
        """Which parts of the newest frame support a model's answer, by one or more methods."""
        kept = snapshots.frame
        if kept is None:
            raise ConsoleError(503, "no frame has arrived yet; see /api/state")
        frame = kept.value
        return await explainer.explain(
            asked, rgb=frame.rgb, depth_m=frame.depth_m, age_s=kept.age_now_s()
        )

    @router.post("/api/why/picture", responses=refusals(400, 403, 408, 413, 415, 422, 503))
    async def why_of_picture(
        image: Annotated[UploadFile, File(description="PNG, JPEG or WebP")],
        model: Annotated[WhyModel, Form()] = "detector",
        target: Annotated[TargetText, Form()] = "",
        ways: Annotated[list[WayName] | None, Form(max_length=4)] = None,
    ) -> Why:
        """The same for a client's picture."""
        try:
            asked = WhyRequest(model=model, target=target, ways=ways or [])
        except ValidationError as error:
            raise ConsoleError(422, in_words(error.errors())) from error
        return await explainer.explain(asked, upload=await image.read())

    return router
