"""The nodes of the service, alone or together, and the entry points of `ros2 run`."""

import sys

from robot_vision.ros.common.run import ServedNode, run
from robot_vision.ros.perception.node import PerceptionNode

SWITCH_S = 0.0005


def perception() -> list[ServedNode]:
    """Perception alone."""
    return [PerceptionNode()]


def policy() -> list[ServedNode]:
    """The policy alone, with perception's topics from another process."""
    return [_policy_node()]


def perception_and_policy() -> list[ServedNode]:
    """Both, with frames handed over in memory."""
    seeing = PerceptionNode()
    return [seeing, _policy_node(seeing)]


def perception_and_policy_if_it_can() -> list[ServedNode]:
    """Both; if the policy cannot start, that is logged and perception continues."""
    seeing = PerceptionNode()
    return [seeing, _policy_node(seeing, required=False)]


def _policy_node(seeing: PerceptionNode | None = None, *, required: bool = True) -> ServedNode:
    from robot_vision.ros.policy.node import PolicyNode

    # Python's threads take turns: the command stream must not wait the default 5 ms for its own.
    sys.setswitchinterval(SWITCH_S)
    node = PolicyNode(perception=seeing, required=required)
    node.prepare_perception()
    return node


def main() -> None:
    """Entry point of `ros2 run robot_vision perception_node`."""
    sys.exit(run(sys.argv[1:], perception))


def policy_main() -> None:
    """Entry point of `ros2 run robot_vision policy_node`."""
    sys.exit(run(sys.argv[1:], policy))


def vla_main() -> None:
    """Entry point of `ros2 run robot_vision vla_node`: both in one process."""
    sys.exit(run(sys.argv[1:], perception_and_policy_if_it_can))


if __name__ == "__main__":
    main()
