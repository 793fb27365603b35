"""Documentation of the errors that routes may return."""

from typing import Any

from robot_vision.console.schema import Problem


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Error responses of a route: its own and those of the guard."""
    words = {
        400: "The request is malformed.",
        401: "The token is missing or wrong.",
        403: "The request comes from a page of another origin.",
        404: "Not found.",
        408: "The body did not arrive in time.",
        409: "The robot or its policy did not execute it; see `detail`.",
        414: "The path or its parameters are too long.",
        413: "The body, a picture or a video is too large.",
        415: "The file type is not supported.",
        421: "The Host header is not one of this console's names.",
        422: "The values are not accepted; see `detail`.",
        429: "Too many requests.",
        431: "The headers are too long.",
        503: "Not available now; see `detail`.",
    }
    return {
        s: {"model": Problem, "description": words[s]}
        for s in (401, 414, 421, 429, 431, *statuses)
    }
