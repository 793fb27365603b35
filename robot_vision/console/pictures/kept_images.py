"""Images of past answers, kept for a while under unguessable names."""

from collections import OrderedDict
from secrets import token_urlsafe
from threading import Lock
from time import monotonic

from robot_vision.console.pictures.encoding import Picture

PATH = "/api/analyze/images/"
_KEPT_S = 600.0


class KeptImages:
    """Limited in bytes and time: the oldest are dropped first. Thread-safe."""

    def __init__(self, most_bytes: float) -> None:
        self._most_bytes = most_bytes
        self._lock = Lock()
        self._images: OrderedDict[str, tuple[float, Picture]] = OrderedDict()
        self._bytes = 0

    def add(self, picture: Picture) -> str:
        """Store a picture; returns the path under which it can be fetched."""
        name = token_urlsafe(16)
        with self._lock:
            self._images[name] = (monotonic(), picture)
            self._bytes += len(picture.data)
            self._forget_old()
        return PATH + name

    def find(self, name: str) -> Picture | None:
        with self._lock:
            self._forget_old()
            kept = self._images.get(name)
            return kept[1] if kept else None

    def _forget_old(self) -> None:
        limit_s = monotonic() - _KEPT_S
        while self._images:
            at_s, picture = next(iter(self._images.values()))
            if at_s >= limit_s and self._bytes <= self._most_bytes:
                return
            self._images.popitem(last=False)
            self._bytes -= len(picture.data)
