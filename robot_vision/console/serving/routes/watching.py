"""Read-only routes: state, objects, classes, probes."""

from fastapi import APIRouter, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from robot_vision.console.class_schema import ClassificationView, SegmentationView
from robot_vision.console.problems import ConsoleError
from robot_vision.console.schema import GroundedView, ObjectsView, State
from robot_vision.console.serving.exposition import Exposition
from robot_vision.console.serving.routes.refusals import refusals
from robot_vision.console.serving.stream import Viewers


class Health(BaseModel):
    """The console is running."""

    status: str = "ok"


class Ready(BaseModel):
    """Whether frames flow, and if not, why."""

    ready: bool
    reason: str


def watching_routes(viewers: Viewers, exposition: Exposition) -> APIRouter:
    """Read-only data."""
    router = APIRouter()

    @router.get("/api/state", responses=refusals(), tags=["watch"])
    async def state() -> State:
        """Everything except pictures and objects: camera, ages, drops, diagnostics, policy."""
        return viewers.state()

    @router.get("/api/objects", responses=refusals(503), tags=["watch"])
    async def objects() -> ObjectsView:
        """The tracked objects of the newest frame."""
        view = await run_in_threadpool(viewers.views.objects)
        if view is None:
            raise ConsoleError(503, "no frame has been processed yet; see /api/state")
        return view

    @router.get("/api/grounded", responses=refusals(503), tags=["watch"])
    async def grounded() -> GroundedView:
        """Objects in the newest frame that the prompt names."""
        view = await run_in_threadpool(viewers.views.grounded)
        if view is None:
            raise ConsoleError(503, "no model looks for prompts: set grounding_model")
        return view

    @router.get("/api/classification", responses=refusals(503), tags=["watch"])
    async def classification() -> ClassificationView:
        """Classification of the newest frame, most likely class first."""
        view = await run_in_threadpool(viewers.views.classification)
        if view is None:
            raise ConsoleError(503, "no frame has been classified yet: is classifier_model set?")
        return view

    @router.get("/api/segmentation", responses=refusals(503), tags=["watch"])
    async def segmentation() -> SegmentationView:
        """The classes of the newest frame's pixels, largest share first."""
        view = await run_in_threadpool(viewers.views.segmentation)
        if view is None:
            text = "no frame has been segmented yet: is segmentation_model set?"
            raise ConsoleError(503, text)
        return view

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
        """Frames flow: the camera's images yield results."""
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
