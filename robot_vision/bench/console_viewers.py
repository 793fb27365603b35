"""Viewers for measurements: `python -m … URL COUNT FPS` read the stream until they are ended."""

import sys
from threading import Thread

from robot_vision.console.client import Console
from robot_vision.console.schema import Topic


def topics(fps: float) -> dict[Topic, float]:
    """What the live page asks for, with frames and objects at `fps`."""
    return {"state": 5, "objects": fps, "frame": fps, "depth": 2, "features": 2, "metrics": 1}


def view(url: str, fps: float) -> None:
    """Read everything and do nothing with it: a browser would be on another machine."""
    for _ in Console(url).stream(topics(fps)):
        pass


def main() -> None:
    url, count, fps = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    viewers = [Thread(target=view, args=(url, fps), daemon=True) for _ in range(count)]
    for viewer in viewers:
        viewer.start()
    for viewer in viewers:
        viewer.join()


if __name__ == "__main__":
    main()
