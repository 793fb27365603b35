"""A model behind a provider's interface: sends requests and reads answers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from jaxtyping import UInt8

from robot_vision.core.errors import ConfigError
from robot_vision.core.files.foreign import brief
from robot_vision.core.parameters.params import param
from robot_vision.multimodal.answerer import (
    Answerer,
    AnswererKind,
    AnswerError,
    AnswererSpec,
    Reply,
    register_answerer,
)
from robot_vision.multimodal.hosted.key import Key, checked_url
from robot_vision.multimodal.hosted.post import Patience, Poster
from robot_vision.multimodal.question import Question

_JPEG_QUALITY = 90


class HostedSpec(AnswererSpec):
    """Prices have no default: they change, and a wrong one would be trusted."""

    model: str = param(..., "the provider's name of the model", min_length=1, max_length=200)
    url: str = param("", "address of the interface; default: the provider's own")
    key_variable: str = param("", "environment variable of the key; default: the provider's own")
    most_output_tokens: int = param(200, "of an answer", ge=1, le=100_000)
    output_tokens_name: str = param(
        "max_tokens", "field for that limit; newer OpenAI models require max_completion_tokens"
    )
    temperature: float | None = param(0.0, "null for models that refuse one", ge=0, le=2)
    answer_s: float = param(60.0, "time limit of an answer", unit="s", gt=0, le=3600)
    attempts: int = param(4, "if the provider is busy", ge=1, le=20)
    most_wait_s: float = param(60.0, "in total, between attempts", unit="s", ge=0, le=3600)
    picture_px: int = param(1024, "maximum of the longer side as sent", unit="px", ge=32, le=8192)


@dataclass(frozen=True, kw_only=True)
class Interface:
    """A provider's protocol. `read` takes any JSON and raises if it does not fit."""

    name: str
    about: str
    url: str
    key_variable: str
    path: Callable[[HostedSpec], str]
    headers: Callable[[str], dict[str, str]]
    body: Callable[[HostedSpec, str, bytes], dict[str, Any]]
    read: Callable[[Any], Reply]


class Hosted:
    """Asks one model. Without prices nothing is asked, as the cost would be unknown."""

    def __init__(self, interface: Interface, spec: HostedSpec) -> None:
        if None in (spec.usd_per_million_input_tokens, spec.usd_per_million_output_tokens):
            raise ConfigError(
                f"the price of {spec.model} is not known: give usd_per_million_input_tokens and "
                "usd_per_million_output_tokens (0 for a server of yours), as the provider lists "
                "them today"
            )
        self._interface, self._spec = interface, spec
        url = checked_url(spec.url or interface.url) + interface.path(spec)
        key = Key(spec.key_variable or interface.key_variable)
        patience = Patience(
            answer_s=spec.answer_s, attempts=spec.attempts, most_wait_s=spec.most_wait_s
        )
        headers = interface.headers(key.sent())
        self._poster = Poster(url, headers=headers, key=key, patience=patience)
        self._key = key

    def ask(self, question: Question, rgb: UInt8[np.ndarray, "h w 3"]) -> Reply:
        body = self._interface.body(self._spec, question.text, jpeg_of(rgb, self._spec.picture_px))
        answered = self._poster.post(body)
        try:
            reply = self._interface.read(answered.content)
        except (KeyError, IndexError, TypeError, ValueError, AttributeError):
            shown = brief(self._key.hidden_in(str(answered.content)))
            raise AnswerError(f"its answer does not match its interface: {shown}") from None
        return Reply(
            text=self._key.hidden_in(reply.text),
            input_tokens=reply.input_tokens,
            output_tokens=reply.output_tokens,
            waited_s=answered.waited_s,
        )

    def close(self) -> None:
        self._poster.close()


def jpeg_of(rgb: UInt8[np.ndarray, "h w 3"], most_px: int) -> bytes:
    """The picture as sent: JPEG, and no larger than configured."""
    scale = most_px / max(rgb.shape[:2])
    if scale < 1:
        size = (max(1, round(rgb.shape[1] * scale)), max(1, round(rgb.shape[0] * scale)))
        rgb = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
    _, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return data.tobytes()


def count_of(value: Any) -> int | None:
    """A number of tokens as reported by a provider; None for anything else."""
    is_count = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**9
    return value if is_count else None


def register_interface(interface: Interface) -> None:
    """Register a provider's interface as a kind of model."""

    def build(spec: HostedSpec, _: Sequence[Question]) -> Answerer:
        return Hosted(interface, spec)

    register_answerer(
        AnswererKind(
            name=interface.name,
            about=interface.about,
            spec=HostedSpec,
            build=build,
            is_hosted=True,
        )
    )
