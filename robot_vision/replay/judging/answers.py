"""A policy's answer to each row of an episode, and its latency from the picture."""

from collections.abc import Iterable
from dataclasses import dataclass
from time import perf_counter

import numpy as np

from robot_vision.core.interfaces import Policy
from robot_vision.core.timing import Percentiles
from robot_vision.core.types import Decision, Observation

_DIGITS = 5

# Answer to a row: the chunk's first step and its mean, normalised; or why there is none.
Answer = list[float] | str


@dataclass(frozen=True, kw_only=True)
class Answers:
    """An episode's instruction, and the answer to each of its rows."""

    instruction: str
    rows: list[Answer]


def answers_of(
    policy: Policy, observations: Iterable[Observation], *, words: str, latency_s: Percentiles
) -> Answers:
    """All answers; `latency_s` is filled with the time from each picture to its action, if any.

    It includes perception if the policy uses any.
    """
    instruction = policy.instruct(words)
    rows: list[Answer] = []
    for observation in observations:
        began_s = perf_counter()
        decision = policy.decide(observation, instruction)
        if decision.action is not None:  # rows without an action have no latency
            perceived_s = sum(observation.perception.stage_s.values())
            latency_s.add(perceived_s + perf_counter() - began_s)
        rows.append(_answer(decision))
    return Answers(instruction=words, rows=rows)


def _answer(decision: Decision) -> Answer:
    if decision.action is None:
        return decision.hold_reason
    action = decision.action.astype(float)
    if not np.isfinite(action).all():  # the node holds as well
        return "the action is not finite"
    numbers = [*action[0].tolist(), *action.mean(axis=0).tolist()]
    return [round(number, _DIGITS) for number in numbers]
