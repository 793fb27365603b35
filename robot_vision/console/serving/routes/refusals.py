"""What routes document: the refusals that they may give."""

from typing import Any

from robot_vision.console.schema import Problem


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
