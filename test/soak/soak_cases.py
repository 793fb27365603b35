"""A command stream as the service's own stream makes it, for checks to find fault with."""

import numpy as np

from robot_vision.core.parameters.groups.policy_config import PolicyConfig
from robot_vision.core.parameters.soak_config import SoakConfig
from robot_vision.policies.control.chunk import Target
from robot_vision.policies.control.stream import Stream
from robot_vision.soak.checks.command_checks import CommandChecks, SentCommand
from robot_vision.soak.ledger import Ledger

NS = 1_000_000_000
PERIOD_NS = NS // 100
POLICY = PolicyConfig()
CONFIG = SoakConfig()
UPRIGHT = np.array([0.0, 0.0, 0.0, 1.0])
START_M = np.array([0.4, 0.0, 0.3])


def command(
    stamp_ns: int,
    position_m: np.ndarray = START_M,
    quaternion: np.ndarray = UPRIGHT,
    frame_id: str = "base",
) -> SentCommand:
    return SentCommand(
        stamp_ns=stamp_ns, frame_id=frame_id, position_m=position_m, quaternion=quaternion
    )


def streamed(count: int, *, seed: int = 0, begin_ns: int = NS) -> list[SentCommand]:
    """Commands of the service's stream at uneven ticks, after targets all over the workspace."""
    random = np.random.default_rng(seed)
    stream = Stream(
        position_m=START_M.copy(),
        quaternion=UPRIGHT.copy(),
        safety=POLICY.safety,
        period_s=0.01,
        follow_s=POLICY.follow_s,
    )
    made, stamp_ns = [], begin_ns
    target = None
    for k in range(count):
        if k % 40 == 0:
            turn = random.normal(size=4)
            place = random.uniform(POLICY.safety.workspace_min_m, POLICY.safety.workspace_max_m)
            target = Target(
                position_m=place, quaternion=turn / np.linalg.norm(turn), gripper_open=1.0
            )
        # A busy machine: most ticks are nearly in time, a few are late.
        late_s = random.choice([0.0, 0.001, 0.006, 0.05], p=[0.6, 0.3, 0.09, 0.01])
        passed_ns = PERIOD_NS + round((late_s + random.uniform(-1e-3, 1e-3)) * NS)
        stamp_ns += passed_ns
        at = stream.advance(passed_ns / NS, target)
        made.append(command(stamp_ns, at.position_m, at.quaternion))
    return made


def checks(ledger: Ledger, true_m: np.ndarray | None = START_M) -> CommandChecks:
    return CommandChecks(ledger, POLICY, CONFIG, base_frame="base", true_tool=lambda _: true_m)


def violated(ledger: Ledger) -> set[str]:
    return {violation.invariant for violation in ledger.violations}
