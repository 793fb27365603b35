"""Viewers for measurements: `python -m … URL COUNT FPS BLOCK_S`, until they are ended.

They look in the blocks that are theirs and are gone in all others; after each, every viewer
writes how many messages it got.
"""

import sys
from contextlib import suppress
from threading import Thread
from time import sleep, time

from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

from robot_vision.bench.console_blocks import WATCHED, condition_at
from robot_vision.console.schema import Subscription, Topic

_POLL_S = 0.05


def topics(fps: float) -> dict[Topic, float]:
    """What the live page asks for."""
    return {"state": 5, "objects": fps, "frame": fps, "depth": 2, "features": 2, "metrics": 1}


def watch(address: str, wish: str, block_s: float) -> int:
    """Take everything until the block ends, and do nothing with it: a browser would be elsewhere.

    Returns how many messages came.
    """
    messages = 0
    with suppress(OSError, WebSocketException), connect(address, proxy=None) as stream:
        stream.send(wish)
        while condition_at(time(), block_s) == WATCHED:
            with suppress(TimeoutError):
                stream.recv(_POLL_S)
                messages += 1
    return messages


def main() -> None:
    url, count, fps, block_s = sys.argv[1], int(sys.argv[2]), *map(float, sys.argv[3:5])
    wish = Subscription(topics=topics(fps)).model_dump_json()
    address = url.replace("http", "ws") + "/api/stream"
    for _ in range(count):
        Thread(target=_look, args=(address, wish, block_s), daemon=True).start()
    with suppress(KeyboardInterrupt):
        while True:
            sleep(1)


def _look(address: str, wish: str, block_s: float) -> None:
    while True:
        sleep(_POLL_S)
        if condition_at(time(), block_s) == WATCHED and (got := watch(address, wish, block_s)):
            print(got, flush=True)


if __name__ == "__main__":
    main()
