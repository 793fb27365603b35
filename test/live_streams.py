"""Sources for tests: pictures with their number in them, a video, a camera in the network."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from time import sleep

import cv2
import numpy as np

BITS = 12
CELL_PX = 16
SIZE = (64, BITS * CELL_PX)


def numbered(number: int) -> np.ndarray:
    """A picture that says its number in black and white stripes, which no codec blurs away."""
    image = np.zeros((*SIZE, 3), np.uint8)
    for bit in range(BITS):
        image[:, bit * CELL_PX : (bit + 1) * CELL_PX] = 255 * (number >> bit & 1)
    return image


def number_of(image: np.ndarray) -> int:
    row = image[SIZE[0] // 2, CELL_PX // 2 :: CELL_PX, 0]
    return int(sum(1 << bit for bit in range(BITS) if row[bit] > 127))


def write_video(path: Path, *, frames: int, fps: float) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), fps, SIZE[::-1])
    for number in range(frames):
        writer.write(numbered(number))
    writer.release()
    return path


class NetworkCamera:
    """Multipart JPEG over HTTP. `hang` keeps connections open and sends nothing more."""

    def __init__(self, port: int = 0, *, hz: float = 50.0) -> None:
        self.number = 0
        self.hang = False
        self.connections = 0
        self._closing = threading.Event()
        camera = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
                self.end_headers()
                camera.connections += 1
                while not camera._closing.is_set():
                    if not camera.hang:
                        camera.number += 1
                        _, jpeg = cv2.imencode(".jpg", numbered(camera.number))
                        head = (
                            f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}"
                        )
                        try:
                            self.wfile.write(
                                head.encode() + b"\r\n\r\n" + jpeg.tobytes() + b"\r\n"
                            )
                        except OSError:
                            return
                    sleep(1 / hz)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/video"

    def close(self) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def network_camera(port: int = 0) -> Iterator[NetworkCamera]:
    camera = NetworkCamera(port)
    try:
        yield camera
    finally:
        camera.close()
