"""Our own protocol: an observation with its stamps, history and depth in, a decision out."""

from time import perf_counter
from typing import Any

from robot_vision.core.types import Instruction
from robot_vision.policies.guards.safety import physical_action
from robot_vision.policies.registry import BundledPolicy
from robot_vision.policies.remote.clients.robot_vision import PATH
from robot_vision.policies.remote.contract import contract_of
from robot_vision.policies.remote.own import OWN_ANSWER, observation_of
from robot_vision.policies.remote.spec import OURS
from robot_vision.serving.exchange import EXCHANGES, observation_of_bundle


class OwnExchange:
    """See `Exchange`. The text is encoded once per instruction, and the policy keeps its own
    memory."""

    path, token_scheme = PATH, "Bearer"

    def __init__(self, policy: BundledPolicy) -> None:
        self._policy = policy
        self._seen = observation_of_bundle(policy)
        self._instruction: Instruction | None = None

    def contract(self) -> dict[str, Any]:
        # The robot sends the raw text; the server encodes it.
        seen = self._seen.model_copy(update={"words": "none"})
        return contract_of(self._policy.spec, observation=seen.model_dump(mode="json"))

    def answer(self, message: Any) -> dict[str, Any]:
        started_s = perf_counter()
        observation, text = observation_of(message, self._seen)
        if self._instruction is None or self._instruction.text != text:
            self._instruction = self._policy.instruct(text)
        decision = self._policy.decide(observation, self._instruction)
        answer: dict[str, Any] = {
            "stamp_ns": decision.stamp_ns,
            "hold_reason": decision.hold_reason,
            "masked": list(decision.masked),
            "server_s": perf_counter() - started_s,
        }
        if decision.action is not None:
            answer[OWN_ANSWER] = physical_action(decision.action, self._policy.spec)
        return answer


EXCHANGES.register(OURS)(OwnExchange)
