"""The HTTP routes of the API, with examples and every answer that they may give."""

import asyncio
import logging
import pathlib
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any

from fastapi import APIRouter, File, Form, Path, Request, Response, UploadFile
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ValidationError

from robot_vision.console.analysis_schema import Analysis
from robot_vision.console.class_schema import ClassificationView, SegmentationView
from robot_vision.console.commander import Commander
from robot_vision.console.pictures.analyst import Analyst, Upload
from robot_vision.console.pictures.explainer import Explainer
from robot_vision.console.problems import ConsoleError, in_words
from robot_vision.console.schema import (
    GroundedView,
    InstructionRequest,
    ObjectsView,
    Outcome,
    Problem,
    PromptRequest,
    State,
    Task,
)
from robot_vision.console.serving.exposition import Exposition
from robot_vision.console.serving.rates import client_of
from robot_vision.console.serving.stream import Viewers
from robot_vision.console.state.snapshots import Snapshots
from robot_vision.console.why_schema import TargetText, WayName, Why, WhyModel, WhyRequest
from robot_vision.core.errors import RobotVisionError
from robot_vision.core.foreign import quoted
from robot_vision.multimodal.results import Results, read_results, shown_file

_log = logging.getLogger(__name__)

_MOST_FILES = 8
_HOLD_THREADS = 4


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What a route documents: its own refusals and those of the guard."""
    words = {
        400: "The request is malformed.",
        401: "The token is missing or wrong.",
        403: "A page of another origin asks.",
        404: "There is no such thing.",
        408: "The body did not come in time.",
        409: "The robot or its policy did not do it; why is in `detail`.",
        414: "The path or its parameters are too long.",
        413: "The body, a picture or a video is too large.",
        415: "The file is of no kind that is taken.",
        421: "The Host header is none of this console's names.",
        422: "The values are not accepted; which and why is in `detail`.",
        429: "Too many requests.",
        431: "The headers are too long.",
        503: "Not now; why is in `detail`.",
    }
    return {
        s: {"model": Problem, "description": words[s]}
        for s in (401, 414, 421, 429, 431, *statuses)
    }


_CHANGING = refusals(400, 403, 408, 409, 413, 422)


class Health(BaseModel):
    """The console answers."""

    status: str = "ok"


class Ready(BaseModel):
    """Whether frames flow, and if not, why."""

    ready: bool
    reason: str


def watching_routes(viewers: Viewers, exposition: Exposition) -> APIRouter:
    """What is read only."""
    router = APIRouter()

    @router.get("/api/state", responses=refusals(), tags=["watch"])
    async def state() -> State:
        """Everything but pictures and objects: camera, ages, drops, diagnostics, policy."""
        return viewers.state()

    @router.get("/api/objects", responses=refusals(503), tags=["watch"])
    async def objects() -> ObjectsView:
        """The tracked objects of the newest frame."""
        view = await run_in_threadpool(viewers.views.objects)
        if view is None:
            raise ConsoleError(503, "no frame was processed yet; /api/state says why")
        return view

    @router.get("/api/grounded", responses=refusals(503), tags=["watch"])
    async def grounded() -> GroundedView:
        """What the words of the prompt name in the newest frame."""
        view = await run_in_threadpool(viewers.views.grounded)
        if view is None:
            raise ConsoleError(503, "nothing looks for words yet; grounding_model names a model")
        return view

    @router.get("/api/classification", responses=refusals(503), tags=["watch"])
    async def classification() -> ClassificationView:
        """The classes that the newest frame shows as a whole, likeliest first."""
        view = await run_in_threadpool(viewers.views.classification)
        if view is None:
            raise ConsoleError(503, "no frame was classified yet; classifier_model names a model")
        return view

    @router.get("/api/segmentation", responses=refusals(503), tags=["watch"])
    async def segmentation() -> SegmentationView:
        """The classes of the newest frame's pixels, by falling share."""
        view = await run_in_threadpool(viewers.views.segmentation)
        if view is None:
            text = "no frame was segmented yet; segmentation_model names a model"
            raise ConsoleError(503, text)
        return view

    @router.get("/healthz", responses=refusals(), tags=["probes"])
    async def healthz() -> Health:
        """The console's process lives."""
        return Health()

    @router.get(
        "/readyz",
        responses={**refusals(), 503: {"model": Ready, "description": "No frames flow."}},
        tags=["probes"],
    )
    async def readyz() -> Ready:
        """Frames flow: results come from the camera's images."""
        flows, reason = viewers.views.frames_flow()
        ready = Ready(ready=flows, reason=reason)
        if not flows:
            return JSONResponse(ready.model_dump(), 503)  # pyright: ignore[reportReturnType]
        return ready

    @router.get(
        "/metrics",
        responses={
            **refusals(),
            200: {"content": {"text/plain": {"schema": {"type": "string"}}}},
        },
        response_class=Response,
        tags=["probes"],
    )
    async def metrics() -> Response:
        """Ages as histograms, drops, rates and memory, for Prometheus."""
        return Response(exposition.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    return router


def hold_threads() -> ThreadPoolExecutor:
    """Threads that holding has for itself; whoever makes them shuts them down."""
    return ThreadPoolExecutor(_HOLD_THREADS, thread_name_prefix="console-hold")


def command_routes(commander: Commander, holding: ThreadPoolExecutor) -> APIRouter:
    """What moves the robot, or stops it. Every command is logged.

    Hold never waits for a thread that waits for the answer to something else: it has `holding`.
    """
    router = APIRouter(tags=["command"], responses=_CHANGING)

    async def passed_on(request: Request, words: str, *command: Any) -> Outcome:
        if words == "hold":
            loop = asyncio.get_running_loop()
            outcome: Outcome = await loop.run_in_executor(holding, *command)
        else:
            outcome = await run_in_threadpool(*command)
        result = "done" if outcome.done else "not done"
        client = client_of(request.scope)
        message = quoted(outcome.message)
        _log.warning("command %s from %s: %s, %s", words, client, result, message)
        if not outcome.done:
            raise ConsoleError(409, outcome.message)
        return outcome

    @router.post("/api/instruction")
    async def instruction(request: Request, wanted: InstructionRequest) -> Outcome:
        """Tell the policy in words what to do. It acts only while it is enabled."""
        words = f"instruction {wanted.text!r}"
        return await passed_on(request, words, commander.instruct, wanted.text)

    @router.post("/api/prompt")
    async def prompt(request: Request, wanted: PromptRequest) -> Outcome:
        """Look for what these words name. It moves nothing."""
        return await passed_on(request, f"prompt {wanted.text!r}", commander.prompt, wanted.text)

    @router.post("/api/enable")
    async def enable(request: Request) -> Outcome:
        """Let the policy move the robot."""
        return await passed_on(request, "enable", commander.enable, True)

    @router.post("/api/hold")
    async def hold(request: Request) -> Outcome:
        """Stop: the policy is disabled and the robot holds its place."""
        return await passed_on(request, "hold", commander.enable, False)

    @router.post("/api/reset")
    async def reset(request: Request) -> Outcome:
        """Forget the instruction and what was planned; the policy stays disabled."""
        return await passed_on(request, "reset", commander.reset)

    return router


def analysis_routes(analyst: Analyst) -> APIRouter:
    """Pictures in, answers out."""
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
            list[Task], Form(description="what to answer", max_length=20, min_length=1)
        ],
    ) -> Analysis:
        """What the model says about pictures, or about frames of a short video."""
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
        """An image that an analysis named; kept for some minutes."""
        picture = analyst.images.find(name)
        if picture is None:
            raise ConsoleError(404, "this image is not kept any more: analyse again")
        return Response(picture.data, media_type=f"image/{picture.format}")

    return router


def why_routes(explainer: Explainer, snapshots: Snapshots) -> APIRouter:
    """What a model looks at."""
    router = APIRouter(tags=["why"])

    @router.post("/api/why", responses=refusals(400, 403, 408, 413, 422, 503))
    async def why(asked: WhyRequest) -> Why:
        """What of the newest frame speaks for an answer of the model, in one or more ways."""
        kept = snapshots.frame
        if kept is None:
            raise ConsoleError(503, "no frame came yet; /api/state says why")
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
        """The same of a picture that a client sends."""
        try:
            asked = WhyRequest(model=model, target=target, ways=ways or [])
        except ValidationError as error:
            raise ConsoleError(422, in_words(error.errors())) from error
        return await explainer.explain(asked, upload=await image.read())

    return router


def model_answer_routes(folder: str) -> APIRouter:
    """What a multimodal benchmark found, read anew on each request: models are not asked here."""
    router = APIRouter(tags=["multimodal"])

    @router.get("/api/multimodal", responses=refusals(404, 503))
    def multimodal() -> Results:
        """Questions about pictures, what models answered, and how well."""
        if not folder:
            raise ConsoleError(404, "the console was started without a benchmark (--multimodal)")
        try:
            return read_results(pathlib.Path(folder))
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
        """A picture as the models saw it, with the card that they were to read or without."""
        file = shown_file(pathlib.Path(folder), number, has_card=card)
        if not folder or not file.is_file():
            raise ConsoleError(404, f"the benchmark shows no such picture: {number}")
        return Response(file.read_bytes(), media_type="image/jpeg")

    return router
