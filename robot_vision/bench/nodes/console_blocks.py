"""The schedule of `bench console`: blocks of wall-clock time, shared by all its processes."""

from itertools import permutations
from typing import Literal

Condition = Literal["no console", "nobody watches", "viewers"]
ALONE: Condition = "no console"
IDLE: Condition = "nobody watches"
WATCHED: Condition = "viewers"
CONDITIONS = (ALONE, IDLE, WATCHED)
# A round is a block of each; the order changes, so that none always follows the same one.
_ORDERS = tuple(permutations(CONDITIONS))


def condition_of(block: int) -> Condition:
    """The condition of the block with that number since 1970."""
    number, place = divmod(block, len(CONDITIONS))
    return _ORDERS[number % len(_ORDERS)][place]


def condition_at(at_s: float, block_s: float) -> Condition:
    """The condition at that time (seconds since 1970)."""
    return condition_of(int(at_s // block_s))
