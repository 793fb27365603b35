"""Viewers for measurements: `python -m … URL COUNT FPS BLOCK_S [WAY]`, until they are ended.

They watch only in their own blocks; after each, every viewer writes how many messages it received.
With an explanation method they watch the page "Why", and one of them requests explanations of
frame after frame and writes `why` for each one.
"""

import json
import sys
from contextlib import suppress
from threading import Thread
from time import sleep, time
from urllib.error import URLError
from urllib.request import Request, urlopen

from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

from robot_vision.bench.nodes.console_blocks import WATCHED, condition_at
from robot_vision.console.schema import Subscription, Topic

_POLL_S = 0.05
_PAUSE_S = 1.2  # as in `static/why.js`


def topics(fps: float) -> dict[Topic, float]:
    """Topics of the live page."""
    return {"state": 5, "objects": fps, "frame": fps, "depth": 2, "features": 2, "metrics": 1}


def topics_of_why(fps: float) -> dict[Topic, float]:
    """Topics of the page "Why"."""
    return {"state": 2, "frame": fps}


def watch(address: str, wish: str, block_s: float) -> int:
    """Receive everything until the block ends, without processing it: a browser would run on
    another machine.

    Returns the number of messages.
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
    way = sys.argv[5] if len(sys.argv) > 5 else ""
    wanted = topics_of_why(fps) if way else topics(fps)
    wish = Subscription(topics=wanted).model_dump_json()
    address = url.replace("http", "ws") + "/api/stream"
    for _ in range(count):
        Thread(target=_look, args=(address, wish, block_s), daemon=True).start()
    if way:
        Thread(target=_explain, args=(url, way, block_s), daemon=True).start()
    with suppress(KeyboardInterrupt):
        while True:
            sleep(1)


def _look(address: str, wish: str, block_s: float) -> None:
    while True:
        sleep(_POLL_S)
        if condition_at(time(), block_s) == WATCHED and (got := watch(address, wish, block_s)):
            print(got, flush=True)


def _explain(url: str, way: str, block_s: float) -> None:
    """As the page does with *Repeat*."""
    body = json.dumps({"ways": [way]}).encode()
    asked = Request(f"{url}/api/why", body, {"Content-Type": "application/json"})  # noqa: S310
    while True:
        sleep(_PAUSE_S)
        if condition_at(time(), block_s) == WATCHED:
            with suppress(URLError, TimeoutError), urlopen(asked, timeout=60) as answer:  # noqa: S310
                if answer.read():
                    print("why", flush=True)


if __name__ == "__main__":
    main()
