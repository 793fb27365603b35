"""Runs the console beside a running graph, or adds it to the nodes of a process."""

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from robot_vision.core.errors import MissingDependencyError
from robot_vision.ros.common.run import ServedNode, run
from robot_vision.ros.perception.node import PerceptionNode
from robot_vision.ros.policy.node import PolicyNode

if TYPE_CHECKING:
    from robot_vision.console.state.policy_moment import PolicyMoment


def console_node(
    perception: PerceptionNode | None = None, policy: PolicyNode | None = None
) -> ServedNode:
    """The console's node. Raises `MissingDependencyError` where its packages are not installed."""
    try:
        from robot_vision.ros.console.node import ConsoleNode
    except ImportError as error:
        raise MissingDependencyError(
            f"the console needs {error.name}: pip install 'robot_vision[console]'"
        ) from error
    return ConsoleNode(perception=perception, moment=lambda: moment_of(policy))


def moment_of(policy: PolicyNode | None) -> "PolicyMoment | None":
    """What a policy in this process decided last, to be explained."""
    from robot_vision.console.state.policy_moment import PolicyMoment

    spec, decision = (None, None) if policy is None else (policy.spec, policy.decision)
    if policy is None or spec is None or decision is None:
        return None
    return PolicyMoment(
        bundle=policy.config.policy, spec=spec, decision=decision, age_s=policy.decision_age_s
    )


def with_console(
    make_nodes: Callable[[], Sequence[ServedNode]],
) -> Callable[[], Sequence[ServedNode]]:
    """Nodes and, in the same process, a console that gets each frame by reference."""

    def make() -> Sequence[ServedNode]:
        nodes = list(make_nodes())
        seeing = next((node for node in nodes if isinstance(node, PerceptionNode)), None)
        acting = next((node for node in nodes if isinstance(node, PolicyNode)), None)
        return [*nodes, console_node(seeing, acting)]

    return make


def main() -> None:
    """Entry point of `ros2 run robot_vision console`: beside a running graph."""
    sys.exit(run(sys.argv[1:], lambda: [console_node()]))


if __name__ == "__main__":
    main()
