"""Error messages: what was wrong, where, and what was expected."""

from collections.abc import Mapping, Sequence
from typing import Any

_MOST = 5
_LONGEST = 200


class ConsoleError(Exception):
    """A request is rejected with an HTTP status and a readable reason."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


def in_words(errors: Sequence[Mapping[str, Any]]) -> str:
    """Pydantic's errors in one line, without echoing the input."""
    lines = [f"{_place(error.get('loc', ()))}{error['msg']}" for error in errors[:_MOST]]
    more = len(errors) - _MOST
    return "; ".join(lines) + (f"; and {more} more" if more > 0 else "")


def _place(location: Sequence[Any]) -> str:
    text = ".".join(str(part) for part in location)[:_LONGEST]
    return f"{text}: " if text else ""
