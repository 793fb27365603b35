"""The current plan: the instruction, the newest decision, and the admitted chunks."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from robot_vision.core.clock import seconds_between
from robot_vision.core.types import Decision, Instruction
from robot_vision.policies.control.chunk import Ensemble, Target
from robot_vision.policies.guards.interventions import InterventionLog
from robot_vision.policies.guards.safety import Admission
from robot_vision.policies.guards.watchdog import FUTURE_SLACK_S, Hold


@dataclass(frozen=True, kw_only=True, eq=False)
class _Answer:
    """A decision and its admission."""

    decision: Decision
    admission: Admission


class Plan:
    """Takes decisions in the order of their observations. Has no lock: its owner locks.

    `clock_back_s` is how far the clock went back since the last decision, 0 if it did not.
    """

    def __init__(self, *, step_s: float, blend_s: float, log: InterventionLog) -> None:
        self._ensemble = Ensemble(step_s=step_s, blend_s=blend_s)
        self._log = log
        self.clear()

    def clear(self, now_ns: int | None = None) -> None:
        """Forget the instruction and all decisions, and follow none about earlier frames."""
        self.instruction: Instruction | None = None
        self._instructed_ns = now_ns
        self.clock_back_s = 0.0
        self.forget_decisions()

    def forget_decisions(self) -> None:
        """Drop chunks and decision: hold until the next decision."""
        self._ensemble.flush()
        self._answer: _Answer | None = None
        self.chunk_stamp_ns: int | None = None

    def instruct(self, instruction: Instruction | None, now_ns: int) -> None:
        """Follow this instruction from now on; a new one flushes all chunks.

        Decisions about frames from before the new instruction are no longer followed.
        """
        before = self.instruction.text if self.instruction else None
        if (instruction.text if instruction else None) != before:
            self.forget_decisions()
            self._instructed_ns = now_ns
        self.instruction = instruction

    def rewind(self, now_ns: int, *, back_s: float) -> None:
        """The clock went back by this much: forget everything it stamped."""
        self.clock_back_s = back_s
        self.forget_decisions()
        if self._instructed_ns is not None:
            self._instructed_ns = now_ns

    def take(
        self,
        decision: Decision,
        admission: Admission,
        base_from_tool: Float64[np.ndarray, "4 4"],
        now_ns: int,
    ) -> Admission:
        """Follow a decision made at `base_from_tool`; returns its admission, or why not."""
        late = self._why_not_now(decision, now_ns)
        if late:
            self._log.note("untimely_decision", late, now_ns)
            return Admission(chunk=None, refused=late)
        self._answer = _Answer(decision=decision, admission=admission)
        for intervention in admission.interventions:
            self._log.add(intervention)
        self.clock_back_s = 0.0
        if admission.chunk is None:
            self._ensemble.flush()
            self.chunk_stamp_ns = None
            return admission
        self.chunk_stamp_ns = decision.stamp_ns
        self._ensemble.add(admission.chunk, base_from_tool=base_from_tool)
        return admission

    def target(self, now_ns: int, *, lead_s: float) -> Target | None:
        """The target according to the chunks; None if none is valid."""
        return self._ensemble.target(now_ns, lead_s=lead_s)

    def has_chunk(self, now_ns: int) -> bool:
        """Whether any actions are still valid."""
        return self._ensemble.valid_until_ns > now_ns

    @property
    def decision(self) -> Decision | None:
        """The newest accepted decision."""
        return self._answer.decision if self._answer else None

    @property
    def action(self) -> Float64[np.ndarray, "7"] | None:
        """The first step of the newest decision's chunk; None if it has none."""
        chunk = self._answer.admission.chunk if self._answer else None
        return None if chunk is None else chunk.action[0]

    @property
    def refused(self) -> Hold | None:
        """Why the newest decision has no chunk."""
        if self._answer is None or self._answer.admission.chunk:
            return None
        wants_to = self._answer.decision.action is None
        cause = "policy" if wants_to else "refused_action"
        return Hold(cause=cause, reason=self._answer.admission.refused, urgent=not wants_to)

    def _why_not_now(self, decision: Decision, now_ns: int) -> str:
        newest, instructed_ns = self.decision, self._instructed_ns
        if seconds_between(now_ns, decision.stamp_ns) > FUTURE_SLACK_S:
            return "the decision is stamped in the future"
        if instructed_ns is not None and decision.stamp_ns < instructed_ns:
            return "the decision is about a frame from before the instruction"
        if newest is not None and decision.stamp_ns <= newest.stamp_ns:
            return "the decision is not newer than the previous one"
        return ""
