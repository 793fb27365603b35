"""Routes that explain what a model looks at: in the newest frame, or in a client's picture."""

from typing import Annotated

from fastapi import APIRouter, File, Form, UploadFile
from pydantic import ValidationError

from robot_vision.console.pictures.explainer import Explainer
from robot_vision.console.problems import ConsoleError, in_words
from robot_vision.console.serving.routes.refusals import refusals
from robot_vision.console.state.snapshots import Snapshots
from robot_vision.console.why_schema import (
    TargetText,
    WayName,
    Why,
    WhyModel,
    WhyPolicy,
    WhyRequest,
)


def why_routes(explainer: Explainer, snapshots: Snapshots) -> APIRouter:
    """What a model looks at."""
    router = APIRouter(tags=["why"])

    @router.post("/api/why", responses=refusals(400, 403, 408, 413, 422, 503))
    async def why(asked: WhyRequest) -> Why:
        """The parts of the newest frame that support a prediction, by one or more methods."""
        if asked.model == "policy":
            return await explainer.explain_policy(asked)
        kept = snapshots.frame
        if kept is None:
            raise ConsoleError(503, "no frame has arrived yet; see /api/state")
        frame = kept.value
        return await explainer.explain(
            asked, rgb=frame.rgb, depth_m=frame.depth_m, age_s=kept.age_now_s()
        )

    @router.get("/api/why/policy", responses=refusals(422))
    def why_policy() -> WhyPolicy:
        """The latest decision of a policy from pixels in this process, for a target of it."""
        moment = explainer.moment()
        return WhyPolicy(
            model=moment.bundle,
            names=list(moment.names),
            action=moment.first_action(),
            cameras=list(moment.cameras),
            age_s=round(moment.age_s, 3),
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
        if model == "policy":
            raise ConsoleError(
                422, "a policy decides by more than a picture: ask POST /api/why, which is live"
            )
        return await explainer.explain(asked, upload=await image.read())

    return router
