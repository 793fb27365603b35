"""The console's web application: pages, files and routes."""

from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles

STATIC = Path(__file__).parent / "static"
PAGES = {"/": "index.html", "/analyze": "analyze.html", "/login": "login.html"}


def create_app() -> FastAPI:
    """Pages are `static/index.html`, `analyze.html`, `login.html`; files are `/static/…`."""
    app = FastAPI(title="robot_vision console", docs_url=None, redoc_url=None)
    for path, name in PAGES.items():
        app.add_api_route(path, _page(name), include_in_schema=False)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    return app


def _page(name: str):  # noqa: ANN202
    async def page() -> FileResponse:
        return FileResponse(STATIC / name)

    return page
