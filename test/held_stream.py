"""Whether the arm is held, judged by the stamps of the commands that it was sent."""

from bisect import bisect
from collections.abc import Mapping
from time import time_ns
from typing import Any

import numpy as np
from policy_rig import DEEP, Surroundings
from std_msgs.msg import Header

from robot_vision.ros.messages.convert import ns_from_stamp
from robot_vision.ros.middleware.message_numbers import with_info

NS = 1_000_000_000
STILL_M = 1e-4
BRAKING_S = 0.6
LAST_FRAME_S = 2.0


class Followed:
    """From now on: of each command that follows the policy, its stamp and that of what was seen.

    Commands that hold are not among them, though the arm may still brake.
    """

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self.published_ns: list[int] = []
        self._seen_ns: list[int] = []
        around.node.create_subscription(
            Header, "policy/command/observation", with_info(self._on_observation), DEEP
        )

    def _on_observation(self, message: Header, info: Mapping[str, Any]) -> None:
        self._seen_ns.append(ns_from_stamp(message.stamp))
        self.published_ns.append(info.get("source_timestamp", time_ns()))

    def commands_ns(self) -> list[int]:
        """Of the commands that are published right before, by the same thread."""
        commands = list(self._around.arm.commands)
        sent_ns = [published_ns for published_ns, _ in commands]
        before = [bisect(sent_ns, published_ns) - 1 for published_ns in list(self.published_ns)]
        return [ns_from_stamp(commands[index][1].header.stamp) for index in before]

    def ages_s(self) -> list[float]:
        """How old was what each command followed from."""
        pairs = zip(self.commands_ns(), list(self._seen_ns), strict=False)
        return [(command_ns - seen_ns) / NS for command_ns, seen_ns in pairs]


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
