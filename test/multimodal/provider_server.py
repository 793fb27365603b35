"""A provider on loopback that speaks each interface as its public description says."""

import json
import threading
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import cv2
import numpy as np

KEY = "sk-loopback-0123456789"
# What a model says to a text and a picture (RGB).
Says = Callable[[str, np.ndarray], str]


@dataclass(frozen=True, kw_only=True)
class Fault:
    """An answer that is none: a status with a body, after a while."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    after_s: float = 0.0
    breaks_off: bool = False


@dataclass
class Provider:
    """`faults` are given in turn, one a request, before it answers."""

    says: Says
    counts_tokens: bool = True
    faults: list[Fault] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)
    url: str = ""
    ending: threading.Event = field(default_factory=threading.Event)

    def answer(self, path: str, headers: Any, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        self.requests.append({"path": path, "headers": dict(headers), "body": body})
        if path.endswith(":generateContent"):
            return self._gemini(headers, body)
        if path.endswith("/chat/completions"):
            return self._chat(headers, body)
        return 404, {"error": {"message": f"no such path: {path}"}}

    def _chat(self, headers: Any, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if headers.get("Authorization") != f"Bearer {KEY}":
            shown = headers.get("Authorization", "").removeprefix("Bearer ")
            return 401, {"error": {"message": f"Incorrect API key provided: {shown}"}}
        (message,) = body["messages"]
        text, picture = message["content"]
        scheme, _, data = picture["image_url"]["url"].partition(",")
        assert (text["type"], picture["type"]) == ("text", "image_url")
        assert scheme == "data:image/jpeg;base64"
        said = self.says(text["text"], _pixels(data))
        usage = {"prompt_tokens": 1000, "completion_tokens": len(said.split())}
        content: dict[str, Any] = {
            "choices": [{"message": {"role": "assistant", "content": said}}]
        }
        return 200, {**content, "usage": usage} if self.counts_tokens else content

    def _gemini(self, headers: Any, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if headers.get("x-goog-api-key") != KEY:
            return 403, {"error": {"code": 403, "message": "API key not valid"}}
        (content,) = body["contents"]
        picture, text = content["parts"]
        assert picture["inline_data"]["mime_type"] == "image/jpeg"
        said = self.says(text["text"], _pixels(picture["inline_data"]["data"]))
        answer = {"content": {"role": "model", "parts": [{"text": said}]}, "finishReason": "STOP"}
        words = len(said.split())
        usage = {"promptTokenCount": 900, "candidatesTokenCount": words, "thoughtsTokenCount": 5}
        found: dict[str, Any] = {"candidates": [answer]}
        return 200, {**found, "usageMetadata": usage} if self.counts_tokens else found


def _pixels(data: str) -> np.ndarray:
    image = cv2.imdecode(np.frombuffer(b64decode(data), np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    return image[..., ::-1]


@contextmanager
def serving(provider: Provider) -> Iterator[Provider]:
    """The provider on a free port of loopback; `url` is set meanwhile."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if provider.faults:
                fault = provider.faults.pop(0)
                provider.requests.append({"path": self.path, "fault": fault})
                provider.ending.wait(fault.after_s)
                self._send(fault.status, fault.body, fault.headers, breaks_off=fault.breaks_off)
                return
            status, content = provider.answer(self.path, self.headers, body)
            self._send(status, json.dumps(content).encode(), {})

        def _send(
            self, status: int, body: bytes, headers: dict[str, str], *, breaks_off: bool = False
        ) -> None:
            try:
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body) + (100 if breaks_off else 0)))
                self.end_headers()
                self.wfile.write(body)
            except OSError:  # who asked waits no longer
                pass

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    provider.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    try:
        yield provider
    finally:
        provider.ending.set()
        server.shutdown()
        server.server_close()
        thread.join()
