"""The schedule of faults: the same for the same seed and faults."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

from robot_vision.core.parameters.soak_config import SoakConfig
from robot_vision.soak.fault import Fault


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A fault, its duration, the pause before it, and its random seed."""

    number: int
    fault: Fault
    pause_s: float
    duration_s: float
    seed: int


def schedule(faults: Sequence[Fault], seed: int, config: SoakConfig) -> Iterator[Planned]:
    """An endless sequence of faults: rounds in random order, each fault once per round."""
    random, number = Random(seed), 0  # noqa: S311 - no secret
    while True:
        for fault in random.sample(list(faults), len(faults)):
            yield Planned(
                number=number,
                fault=fault,
                pause_s=random.uniform(config.least_pause_s, config.most_pause_s),
                duration_s=random.uniform(fault.least_s, fault.most_s),
                seed=random.getrandbits(32),
            )
            number += 1
