"""Other parts of this process that get each frame's result: the policy and the console."""

import traceback
from collections.abc import Callable, Mapping
from threading import Lock

from robot_vision.core.types import Perception
from robot_vision.ros.common.health import Health

# Called with the perception of a frame and the seconds of its stages, `age` among them.
Listener = Callable[[Perception, Mapping[str, float]], None]


class Listeners:
    """Called in the worker's thread, so they only store. A failing one costs no frame."""

    def __init__(self, health: Health, log: Callable[[str], object]) -> None:
        self._health = health
        self._log = log
        self._lock = Lock()
        self._listeners: tuple[Listener, ...] = ()

    def add(self, listener: Listener) -> None:
        with self._lock:
            self._listeners = (*self._listeners, listener)

    def remove(self, listener: Listener) -> None:
        """Stop calling `listener`; nothing happens if it is not registered."""
        with self._lock:
            self._listeners = tuple(known for known in self._listeners if known != listener)

    def call(self, perception: Perception, stage_s: Mapping[str, float]) -> None:
        """Call every listener. A failure is counted, and logged the first time it happens."""
        for listener in self._listeners:
            try:
                listener(perception, stage_s)
            except Exception as error:
                what = f"{type(error).__name__}: {error}"
                if self._health.noted("listener failed", what):
                    self._log(traceback.format_exc())
