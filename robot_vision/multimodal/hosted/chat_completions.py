"""The body and the answer of `chat/completions`, which many servers adopted from OpenAI."""

from base64 import b64encode
from typing import Any

from robot_vision.multimodal.answerer import AnswerError, Reply
from robot_vision.multimodal.hosted.hosted import HostedSpec, count_of

PATH = "/chat/completions"


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def chat_body(spec: HostedSpec, text: str, jpeg: bytes) -> dict[str, Any]:
    """One user message: the text, and the picture inline."""
    url = f"data:image/jpeg;base64,{b64encode(jpeg).decode()}"
    content = [
        {"type": "text", "text": text},
        {"type": "image_url", "image_url": {"url": url}},
    ]
    body: dict[str, Any] = {
        "model": spec.model,
        "messages": [{"role": "user", "content": content}],
        spec.output_tokens_name: spec.most_output_tokens,
    }
    return body if spec.temperature is None else {**body, "temperature": spec.temperature}


def read_chat(content: Any) -> Reply:
    """The answer's text and its tokens; raises `AnswerError` if the model refuses."""
    message = content["choices"][0]["message"]
    if message.get("refusal"):
        raise AnswerError(f"it refuses: {str(message['refusal'])[:200]}")
    text = message["content"]
    if isinstance(text, list):  # parts, which some servers return
        text = "".join(part["text"] for part in text if part.get("type") == "text")
    if not isinstance(text, str):
        raise TypeError("no text")
    usage = content.get("usage") or {}
    return Reply(
        text=text,
        input_tokens=count_of(usage.get("prompt_tokens")),
        output_tokens=count_of(usage.get("completion_tokens")),
    )
