"""Models behind Google's Gemini interface (generateContent)."""

from base64 import b64encode
from typing import Any
from urllib.parse import quote

from robot_vision.multimodal.answerer import AnswerError, Reply
from robot_vision.multimodal.hosted.hosted import (
    HostedSpec,
    Interface,
    count_of,
    register_interface,
)


def path(spec: HostedSpec) -> str:
    return f"/models/{quote(spec.model.removeprefix('models/'), safe='')}:generateContent"


def headers(key: str) -> dict[str, str]:
    """Not in the address, where logs of servers and proxies would keep it."""
    return {"x-goog-api-key": key}


def body(spec: HostedSpec, text: str, jpeg: bytes) -> dict[str, Any]:
    picture = {"mime_type": "image/jpeg", "data": b64encode(jpeg).decode()}
    config: dict[str, Any] = {"maxOutputTokens": spec.most_output_tokens}
    if spec.temperature is not None:
        config["temperature"] = spec.temperature
    return {
        "contents": [{"role": "user", "parts": [{"inline_data": picture}, {"text": text}]}],
        "generationConfig": config,
    }


def read(content: Any) -> Reply:
    """The first candidate's text. The model's thinking is billed as output too."""
    blocked = (content.get("promptFeedback") or {}).get("blockReason")
    if blocked:
        raise AnswerError(f"it refuses the picture or the question: {str(blocked)[:100]}")
    candidate = content["candidates"][0]
    parts = (candidate.get("content") or {}).get("parts") or []
    text = "".join(part["text"] for part in parts if "text" in part and not part.get("thought"))
    ended = candidate.get("finishReason")
    if not text and ended not in (None, "STOP"):
        raise AnswerError(f"it ended without an answer: {str(ended)[:100]}")
    usage = content.get("usageMetadata") or {}
    said, thought = usage.get("candidatesTokenCount", 0), usage.get("thoughtsTokenCount", 0)
    counts = count_of(said), count_of(thought)
    is_known = "promptTokenCount" in usage and None not in counts
    return Reply(
        text=text,
        input_tokens=count_of(usage.get("promptTokenCount")),
        output_tokens=sum(count or 0 for count in counts) if is_known else None,
    )


register_interface(
    Interface(
        name="gemini",
        about="a model behind Google's Gemini interface (generateContent)",
        url="https://generativelanguage.googleapis.com/v1beta",
        key_variable="GEMINI_API_KEY",
        path=path,
        headers=headers,
        body=body,
        read=read,
    )
)
