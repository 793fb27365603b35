"""Runs the console beside a running graph, or adds it to the nodes of a process."""

import sys
from collections.abc import Callable, Sequence

from robot_vision.core.errors import MissingDependencyError
from robot_vision.ros.common.run import ServedNode, run
from robot_vision.ros.perception.node import PerceptionNode


def console_node(perception: PerceptionNode | None = None) -> ServedNode:
    """The console's node. Raises `MissingDependencyError` where its packages are not installed."""
    try:
        from robot_vision.ros.console.node import ConsoleNode
    except ImportError as error:
        raise MissingDependencyError(
            f"the console needs {error.name}: pip install 'robot_vision[console]'"
        ) from error
    return ConsoleNode(perception=perception)


def with_console(
    make_nodes: Callable[[], Sequence[ServedNode]],
) -> Callable[[], Sequence[ServedNode]]:
    """Nodes and, in the same process, a console that gets each frame by reference."""

    def make() -> Sequence[ServedNode]:
        nodes = list(make_nodes())
        seeing = next((node for node in nodes if isinstance(node, PerceptionNode)), None)
        return [*nodes, console_node(seeing)]

    return make


def main() -> None:
    """Entry point of `ros2 run robot_vision console`: beside a running graph."""
    sys.exit(run(sys.argv[1:], lambda: [console_node()]))


if __name__ == "__main__":
    main()
