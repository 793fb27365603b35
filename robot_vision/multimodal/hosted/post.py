"""Sends JSON to a provider and back, within bounds; every failure is described."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from robot_vision.core.errors import ForeignFileError, MissingDependencyError
from robot_vision.core.files.foreign import brief, parse_json
from robot_vision.multimodal.answerer import AnswerError, GivenUpError
from robot_vision.multimodal.hosted.key import Key

_MOST_BYTES = 4_000_000
_LONGEST_REASON = 300
_LATER = (429, 500, 502, 503, 504)
_IN_VAIN = {
    401: "it refuses the key in {key}",
    402: "its account has no credit",
    403: "it refuses the key in {key}, or this model is not for it",
    404: "it knows no such model or address",
}


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long to wait for a provider. Rate limits are respected."""

    answer_s: float
    attempts: int
    most_wait_s: float


@dataclass(frozen=True, kw_only=True)
class Answered:
    """The response, and the wait before the attempt that brought it."""

    content: Any
    waited_s: float


class Poster:
    """Sends requests to one address. Redirects are not followed: they could carry the key away."""

    def __init__(
        self,
        url: str,
        *,
        headers: Mapping[str, str],
        key: Key,
        patience: Patience,
    ) -> None:
        try:
            import httpx
        except ImportError as error:
            raise MissingDependencyError(
                "models behind an interface need httpx: pip install 'robot_vision[multimodal]'"
            ) from error
        self._httpx, self._url, self._key, self._patience = httpx, url, key, patience
        # A proxy from the environment carries only encrypted traffic.
        is_encrypted = url.startswith("https:")
        self._client = httpx.Client(
            headers=dict(headers), timeout=patience.answer_s, trust_env=is_encrypted
        )

    def close(self) -> None:
        self._client.close()

    def post(self, body: Mapping[str, Any]) -> Answered:
        """Raises `AnswerError`, or `GivenUpError` if another question would fare no better."""
        waited_s = 0.0
        for attempt in range(self._patience.attempts):
            status, headers, text = self._once(body)
            if status == 200:
                return Answered(content=self._json(text), waited_s=waited_s)
            reason = self._reason(text)
            if status not in _LATER:
                self._refuse(status, reason)
            wait_s = _retry_after_s(headers) or 2.0**attempt
            is_last = attempt + 1 == self._patience.attempts
            if is_last or waited_s + wait_s > self._patience.most_wait_s:
                raise AnswerError(self._busy(status, attempt + 1, waited_s, wait_s, reason))
            time.sleep(wait_s)
            waited_s += wait_s
        raise AssertionError("a post has at least one attempt")

    def _once(self, body: Mapping[str, Any]) -> tuple[int, Mapping[str, str], bytes]:
        """Status, headers and body. A time-out is not retried: it may have been billed."""
        until_s = time.monotonic() + self._patience.answer_s
        try:
            with self._client.stream("POST", self._url, json=body) as response:
                text = b""
                for piece in response.iter_bytes():
                    text += piece
                    if len(text) > _MOST_BYTES:
                        raise AnswerError(f"it answered more than {_MOST_BYTES} bytes")
                    if time.monotonic() > until_s:
                        raise AnswerError(self._late())
                return response.status_code, response.headers, text
        except self._httpx.TimeoutException:
            raise AnswerError(self._late()) from None
        except (self._httpx.HTTPError, self._httpx.InvalidURL) as error:
            said = brief(self._key.hidden_in(str(error)), most=_LONGEST_REASON)
            raise AnswerError(f"it cannot be reached, or ended early: {said}") from None

    def _late(self) -> str:
        return f"it did not answer within {self._patience.answer_s:g} s (not retried)"

    def _json(self, text: bytes) -> Any:
        try:
            return parse_json(text, what="its answer")
        except ForeignFileError as error:
            raise AnswerError(brief(self._key.hidden_in(str(error)), most=300)) from None

    def _refuse(self, status: int, reason: str) -> None:
        if status in _IN_VAIN:
            words = _IN_VAIN[status].format(key=self._key.variable)
            raise GivenUpError(f"{words} (HTTP {status}{reason})")
        if 300 <= status < 400:
            raise GivenUpError(f"it redirects (HTTP {status}), which is not followed")
        raise AnswerError(f"it refuses the question (HTTP {status}{reason})")

    def _busy(self, status: int, tries: int, waited_s: float, wait_s: float, reason: str) -> str:
        what = "its rate limit is reached" if status == 429 else "it has a server error"
        more = f"; it asks to wait {wait_s:g} s more" if wait_s else ""
        return f"{what} (HTTP {status}{reason}), tried {tries} times in {waited_s:g} s{more}"

    def _reason(self, text: bytes) -> str:
        """A provider's reason for a refusal, if it is JSON; the key is removed."""
        try:
            content = parse_json(text, what="")
        except ForeignFileError:
            return ""
        error = content.get("error", content) if isinstance(content, dict) else content
        said = error.get("message") if isinstance(error, dict) else error
        if not isinstance(said, str) or not said:
            return ""
        return f": {brief(self._key.hidden_in(said), most=_LONGEST_REASON)}"


def _retry_after_s(headers: Mapping[str, str]) -> float:
    """Seconds that a provider asks to wait; 0 if it gives no readable value."""
    try:
        seconds = float(headers.get("retry-after", ""))
    except ValueError:
        return 0.0
    return seconds if 0 < seconds < 1e6 else 0.0
