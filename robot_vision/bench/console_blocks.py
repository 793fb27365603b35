"""When `bench console` measures what: blocks of the wall clock, by which all its processes go."""

from itertools import permutations
from typing import Literal

Condition = Literal["no console", "nobody watches", "viewers"]
ALONE: Condition = "no console"
IDLE: Condition = "nobody watches"
WATCHED: Condition = "viewers"
CONDITIONS = (ALONE, IDLE, WATCHED)
# A round is a block of each; the order changes, so that none always follows the same.
_ORDERS = tuple(permutations(CONDITIONS))


def condition_of(block: int) -> Condition:
    """What holds in the block of that number since 1970."""
    number, place = divmod(block, len(CONDITIONS))
    return _ORDERS[number % len(_ORDERS)][place]


def condition_at(at_s: float, block_s: float) -> Condition:
    """What holds at that time (seconds since 1970)."""
    return condition_of(int(at_s // block_s))
