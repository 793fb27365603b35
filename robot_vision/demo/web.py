"""The console of the demo: the same page as on a robot, if its packages are installed."""

from importlib.util import find_spec
from pathlib import Path

_NEEDS = ("fastapi", "uvicorn", "prometheus_client", "python_multipart")


def console_options() -> list[str]:
    """Options of `robot-vision run` for a console on a free port; none if packages are missing."""
    return ["--console", "--console-port=0"] if all(map(find_spec, _NEEDS)) else []


def console_words(service_log: Path) -> str:
    """The page's address, or how to install it."""
    _, found, rest = service_log.read_text().partition("console at ")
    if found:
        return f"open {rest.split()[0]}"
    return "for a web page: pip install 'robot_vision[console]'"
