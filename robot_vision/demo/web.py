"""The console beside a demonstration: the same page as on a robot, where its packages are."""

from importlib.util import find_spec
from pathlib import Path

_NEEDS = ("fastapi", "uvicorn", "prometheus_client", "python_multipart")


def console_options() -> list[str]:
    """Options of `robot-vision run` for a console on a free port; none where it lacks packages."""
    return ["--console", "--console-port=0"] if all(map(find_spec, _NEEDS)) else []


def console_words(service_log: Path) -> str:
    """Where the page is, or how to get it."""
    _, found, rest = service_log.read_text().partition("console at ")
    if found:
        return f"look at it: {rest.split()[0]}"
    return "with a web page: pip install 'robot_vision[console]'"
