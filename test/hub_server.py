"""A hub and a plain file server on loopback, which can break off and refuse."""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

COMMIT = "c0ffee" * 6 + "abcd"


@dataclass
class Served:
    """ORG/MODEL folders below `root`; what was asked, and how the server misbehaves."""

    root: Path
    url: str = ""
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    cut: dict[str, int] = field(default_factory=dict)
    gated: bool = False

    def fetched(self, name: str) -> list[str]:
        """The Range of each GET of a file."""
        return [got for method, path, got in self.asked if method == "GET" and path.endswith(name)]


@contextmanager
def serving(root: Path) -> Iterator[Served]:
    served = Served(root)
    kind = type("Handler", (_Handler,), {"served": served})
    server = ThreadingHTTPServer(("127.0.0.1", 0), kind)
    served.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    served: Served
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def _answer(self, *, with_body: bool) -> None:
        path = unquote(urlsplit(self.path).path)
        self.served.asked.append((self.command, path, self.headers.get("Range", "")))
        parts = path.strip("/").split("/")
        if self.served.gated:
            return self._say(403, b"{}", {"X-Error-Code": "GatedRepo"}, with_body)
        if parts[:2] == ["api", "models"]:
            return self._describe(parts[2:], with_body)
        if len(parts) > 4 and parts[2] == "resolve":
            parts = [*parts[:2], *parts[4:]]
        file = self.served.root.joinpath(*parts)
        if not file.is_file():
            return self._say(404, b"{}", {"X-Error-Code": "EntryNotFound"}, with_body)
        return self._send(file, with_body)

    def _describe(self, parts: list[str], with_body: bool) -> None:
        folder = self.served.root.joinpath(*parts[:2])
        if not folder.is_dir():
            return self._say(404, b"{}", {"X-Error-Code": "RepoNotFound"}, with_body)
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        if parts[2] == "revision":
            said = {"id": "/".join(parts[:2]), "sha": COMMIT, "siblings": [], "tags": []}
            return self._say(200, json.dumps(said).encode(), {}, with_body)
        rows = [
            {
                "type": "file",
                "path": path.relative_to(folder).as_posix(),
                "size": path.stat().st_size,
                "oid": digest(path)[:40],
                "lfs": {"oid": digest(path), "size": path.stat().st_size, "pointerSize": 130},
            }
            for path in files
        ]
        return self._say(200, json.dumps(rows).encode(), {}, with_body)

    def _send(self, file: Path, with_body: bool) -> None:
        data, start = file.read_bytes(), 0
        if (given := self.headers.get("Range", "")).startswith("bytes="):
            start = int(given.removeprefix("bytes=").partition("-")[0])
        if start >= len(data):
            return self._say(416, b"", {}, with_body)
        headers = {
            "ETag": f'"{digest(file)}"',
            "X-Repo-Commit": COMMIT,
            "Accept-Ranges": "bytes",
            "Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}",
        }
        cut = self.served.cut.pop(file.name, None) if with_body else None
        return self._say(206 if start else 200, data[start:], headers, with_body, cut=cut)

    def _say(
        self,
        status: int,
        body: bytes,
        headers: dict[str, str],
        with_body: bool,
        *,
        cut: int | None = None,
    ) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if with_body:
            self.wfile.write(body[:cut])
        if cut is not None:
            self.close_connection = True


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
