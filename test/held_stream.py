"""Whether the arm is held, judged by the stamps of the commands that it was sent."""

from typing import Any

import numpy as np
from policy_rig import Surroundings
from std_msgs.msg import Header

from robot_vision.ros.messages.convert import ns_from_stamp

NS = 1_000_000_000
STILL_M = 1e-4
BRAKING_S = 0.6
LAST_FRAME_S = 2.0


class Followed:
    """From now on: of each command that follows the policy, its stamp and that of what was seen.

    Commands that hold are not among them, though the arm may still brake.
    """

    def __init__(self, around: Surroundings) -> None:
        self.stamps_ns: list[tuple[int, int]] = []
        around.node.create_subscription(
            Header,
            "policy/command/observation",
            # Published right after the command, by the same thread.
            lambda m: self.stamps_ns.append((around.stamps_ns()[-1], ns_from_stamp(m.stamp))),
            50,
        )

    def commands_ns(self) -> list[int]:
        return [command_ns for command_ns, _ in list(self.stamps_ns)]

    def ages_s(self) -> list[float]:
        """How old was what each command followed from."""
        return [(command_ns - seen_ns) / NS for command_ns, seen_ns in list(self.stamps_ns)]


def positions(around: Surroundings) -> tuple[np.ndarray, np.ndarray]:
    """Stamps (ns) and positions (m) of all commands so far."""
    heard = [message for _, message in list(around.arm.commands)]
    stamps_ns = np.array([ns_from_stamp(m.header.stamp) for m in heard])
    at_m = [[m.pose.position.x, m.pose.position.y, m.pose.position.z] for m in heard]
    return stamps_ns, np.array(at_m)


def assert_still(around: Surroundings, held: dict[str, Any]) -> None:
    """Commands go on; once the hold has come to stay (a last frame may be under way) and the arm
    has braked within its limits, they repeat one pose."""
    before = len(around.arm.commands)  # the clock may have jumped: stamps of before say nothing

    def braked_ns() -> int:
        statuses = list(around.statuses)
        later = statuses[statuses.index(held) :]
        going_ns = [s["stamp_ns"] for s in later if not s["holding"]]
        return max([held["stamp_ns"], *going_ns]) + round(BRAKING_S * NS)

    around.wait_for(
        lambda: sum(s > braked_ns() + NS // 2 for s in around.stamps_ns()[before:]) > 5
    )
    assert braked_ns() - held["stamp_ns"] < (BRAKING_S + LAST_FRAME_S) * NS
    stamps_ns, at_m = positions(around)
    braked = stamps_ns[before:] > braked_ns()
    assert braked.sum() > 5
    assert np.ptp(at_m[before:][braked], axis=0).max() < STILL_M
