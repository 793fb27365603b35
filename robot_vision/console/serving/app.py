"""The console's web application: pages, files and routes joined."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Annotated, Any

from fastapi import FastAPI, Form, Request, WebSocket
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from fastapi.staticfiles import StaticFiles

from robot_vision.console.commander import Commander
from robot_vision.console.pictures.analyst import Analyst
from robot_vision.console.pictures.encoded_pictures import Renditions
from robot_vision.console.pictures.explainer import Explainer
from robot_vision.console.problems import ConsoleError, in_words
from robot_vision.console.segments.live import Segmentation
from robot_vision.console.segments.picture import PictureSegmenter
from robot_vision.console.serving.analysis_stream import ANALYSIS_STREAM, AnalysisStreams
from robot_vision.console.serving.bodies import analysis_rates
from robot_vision.console.serving.exposition import Exposition
from robot_vision.console.serving.guard import COOKIE, Guard, Token
from robot_vision.console.serving.pages import PAGES, STATIC, Page, page_html
from robot_vision.console.serving.rates import Rates, client_of
from robot_vision.console.serving.routes.analysis import analysis_routes
from robot_vision.console.serving.routes.commands import command_routes, hold_threads
from robot_vision.console.serving.routes.model_answers import model_answer_routes
from robot_vision.console.serving.routes.segments import segment_routes
from robot_vision.console.serving.routes.watching import watching_routes
from robot_vision.console.serving.routes.why import why_routes
from robot_vision.console.serving.stream import Viewers
from robot_vision.console.state.history import History
from robot_vision.console.state.snapshots import Snapshots
from robot_vision.console.state.state_views import Views
from robot_vision.core.parameters.console_config import ConsoleConfig

_SETTLE_S = 1.0
_LOGINS = 5.0
_COOKIE_S = 30 * 24 * 3600
_ABOUT = """What a robot_vision service sees, for programs.

The stream is the WebSocket `/api/stream`: see `robot_vision/console/schema.py`. Pictures can
also be analysed over the WebSocket `/api/analyze/stream`, several at a time: a binary message has
the length of a header (4 bytes, big-endian), the header `AnalysisRequest` in JSON, then the
picture; the answers are `AnalysisAnswer`, in order of completion. If a token is set, every request
must include it: `Authorization: Bearer …`, or the cookie of the page `/login`.
"""


def create_app(
    snapshots: Snapshots,
    commander: Commander,
    analyst: Analyst,
    explainer: Explainer,
    config: ConsoleConfig,
    *,
    segmenter: PictureSegmenter,
    live: Segmentation,
    on_token: Callable[[Any], None] = lambda _: None,
) -> Guard:
    """The guarded application. Its token is `config.token`; empty: no token is needed.

    `analyst`, `explainer` and `segmenter` are closed with it; `on_token` is called for connections
    that have shown the token.
    """
    history = History(snapshots, gap_s=config.no_camera_after_s)
    views = Views(snapshots, history, commander, no_camera_after_s=config.no_camera_after_s)
    renditions = Renditions(snapshots, config)
    limits = config.limits
    viewers = Viewers(snapshots, views, renditions, limits)
    holding = hold_threads()
    analyses = analysis_rates(limits)
    analysis_streams = AnalysisStreams(analyst, limits, analyses)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        settling = asyncio.create_task(_settle(history))
        yield
        settling.cancel()
        with suppress(asyncio.CancelledError):
            await settling
        # A request waiting for the policy's answer ends by itself.
        holding.shutdown(wait=False, cancel_futures=True)
        renditions.close()
        analyst.close()
        explainer.close()
        segmenter.close()

    app = FastAPI(
        title="robot_vision console",
        version="1",
        description=_ABOUT,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    token = Token(config.token)
    _add_errors(app)
    wrong = Rates(limits.logins_hz, burst=_LOGINS)
    _add_pages(app, token, wrong)
    app.include_router(watching_routes(viewers, Exposition(viewers, history)))
    app.include_router(command_routes(commander, holding))
    app.include_router(analysis_routes(analyst))
    app.include_router(why_routes(explainer, snapshots))
    app.include_router(model_answer_routes(config.multimodal))
    app.include_router(segment_routes(segmenter, live))

    @app.websocket("/api/stream")
    async def stream(socket: WebSocket) -> None:
        await viewers.serve(socket)

    @app.websocket(ANALYSIS_STREAM)
    async def analysis_stream(socket: WebSocket) -> None:
        await analysis_streams.serve(socket)

    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    return Guard(
        app, config=config, token=token, wrong=wrong, analyses=analyses, on_token=on_token
    )


async def _settle(history: History) -> None:
    """Drain the result queues even while nobody watches, so that nothing is missing later."""
    while True:
        history.settle()
        await asyncio.sleep(_SETTLE_S)


def _add_pages(app: FastAPI, token: Token, wrong: Rates) -> None:
    for page in PAGES:
        app.add_api_route(page.path, _served(page), include_in_schema=False)

    @app.post("/login", include_in_schema=False)
    async def login(
        request: Request, shown: Annotated[str, Form(alias="token", max_length=1000)] = ""
    ) -> Response:
        if not token.fits(shown):
            client = client_of(request.scope)
            if not wrong.take(client):
                raise ConsoleError(429, f"too many wrong tokens from {client}: try again later")
            raise ConsoleError(401, "this is not the console's token")
        response = RedirectResponse("/", 303)
        response.set_cookie(
            COOKIE, token.cookie, max_age=_COOKIE_S, httponly=True, samesite="strict"
        )
        return response


def _served(page: Page) -> Callable[[], HTMLResponse]:
    def serve() -> HTMLResponse:
        return HTMLResponse(page_html(page))

    return serve


def _add_errors(app: FastAPI) -> None:
    """Report every failure as `{"detail": text}`."""

    @app.exception_handler(ConsoleError)
    async def refused(_: Request, error: ConsoleError) -> JSONResponse:
        return JSONResponse({"detail": error.detail}, error.status)

    @app.exception_handler(RequestValidationError)
    async def wrong(_: Request, error: RequestValidationError) -> JSONResponse:
        return JSONResponse({"detail": in_words(error.errors())}, 422)
