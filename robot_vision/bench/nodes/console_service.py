"""The service for measurements: `python -m … BLOCK_S ROS_ARGS…`, until it is ended.

Its console runs only in some blocks (`console_blocks.py`), so frames with and without one come
from the same process: two processes differ by more than a console costs.
"""

import sys
from threading import Thread
from time import sleep, time

from robot_vision.bench.nodes.console_blocks import ALONE, condition_at
from robot_vision.ros.common.run import ServedNode, run
from robot_vision.ros.console.run import console_node
from robot_vision.ros.perception.node import PerceptionNode

_POLL_S = 0.05


def main() -> None:
    block_s, *ros_args = sys.argv[1:]
    sys.exit(run(ros_args, lambda: _nodes(float(block_s))))


def _nodes(block_s: float) -> list[ServedNode]:
    seeing = PerceptionNode()
    Thread(target=_come_and_go, args=(seeing, block_s), daemon=True).start()
    return [seeing]


def _come_and_go(seeing: PerceptionNode, block_s: float) -> None:
    while (executor := seeing.executor) is None:
        sleep(_POLL_S)
    # Start the first one at once: its imports take long.
    console, wanted = None, True
    while True:
        if wanted and console is None:
            console = console_node(seeing)
            executor.add_node(console)  # pyright: ignore[reportArgumentType]
        elif console is not None and not wanted:
            executor.remove_node(console)  # pyright: ignore[reportArgumentType]
            console.destroy_node()
            console = None
        sleep(_POLL_S)
        wanted = condition_at(time(), block_s) != ALONE


if __name__ == "__main__":
    main()
