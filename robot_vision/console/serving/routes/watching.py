"""Routes that only read: state, objects, classes, probes."""

from collections.abc import Callable
from typing import TypeVar

from fastapi import APIRouter, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from robot_vision.console.class_schema import ClassificationView, SegmentationView
from robot_vision.console.object_schema import GroundedView, ObjectsView
from robot_vision.console.problems import ConsoleError
from robot_vision.console.schema import State
from robot_vision.console.serving.exposition import Exposition
from robot_vision.console.serving.routes.refusals import refusals
from robot_vision.console.serving.stream import Viewers

T = TypeVar("T")


class Health(BaseModel):
    """The console answers."""

    status: str = "ok"


class Ready(BaseModel):
    """Whether frames flow, and if not, why."""

    ready: bool
    reason: str


def watching_routes(viewers: Viewers, exposition: Exposition) -> APIRouter:
    """Routes that only read."""
    router = APIRouter()
    _add_views(router, viewers)
    _add_probes(router, viewers, exposition)
    return router


def _add_views(router: APIRouter, viewers: Viewers) -> None:
    views = viewers.views

    @router.get("/api/state", responses=refusals(), tags=["watch"])
    async def state() -> State:
        """Everything but pictures and objects: camera, ages, drops, diagnostics, policy."""
        return viewers.state()

    @router.get("/api/objects", responses=refusals(503), tags=["watch"])
    async def objects() -> ObjectsView:
        """The tracked objects of the newest frame."""
        return await _newest(views.objects, "no frame was processed yet; /api/state says why")

    @router.get("/api/grounded", responses=refusals(503), tags=["watch"])
    async def grounded() -> GroundedView:
        """Objects that match the prompt in the newest frame."""
        missing = "nothing looks for words yet; grounding_model names a model"
        return await _newest(views.grounded, missing)

    @router.get("/api/classification", responses=refusals(503), tags=["watch"])
    async def classification() -> ClassificationView:
        """The classes that the newest frame shows as a whole, most likely first."""
        missing = "no frame was classified yet; classifier_model names a model"
        return await _newest(views.classification, missing)

    @router.get("/api/segmentation", responses=refusals(503), tags=["watch"])
    async def segmentation() -> SegmentationView:
        """The classes of the newest frame's pixels, by falling share."""
        missing = "no frame was segmented yet; segmentation_model names a model"
        return await _newest(views.segmentation, missing)


def _add_probes(router: APIRouter, viewers: Viewers, exposition: Exposition) -> None:
    @router.get("/healthz", responses=refusals(), tags=["probes"])
    async def healthz() -> Health:
        """The console's process is alive."""
        return Health()

    @router.get(
        "/readyz",
        responses={**refusals(), 503: {"model": Ready, "description": "No frames flow."}},
        tags=["probes"],
    )
    async def readyz() -> Ready:
        """Frames flow: the camera's images give results."""
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


async def _newest(look: Callable[[], T | None], missing: str) -> T:
    """What `look` finds, in a thread of its own; `missing` is why there may be nothing."""
    view = await run_in_threadpool(look)
    if view is None:
        raise ConsoleError(503, missing)
    return view
