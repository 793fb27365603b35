"""Commands to the robot: to whom they go, and what was said."""

from collections import deque
from time import time
from typing import Protocol, runtime_checkable

from robot_vision.console.command_schema import GivenInstruction, Outcome

_KEPT = 50


@runtime_checkable
class Commander(Protocol):
    """Passes commands on and waits for the answer, a few seconds at most. Thread-safe."""

    def problem(self) -> str:
        """Why nothing can be commanded now; empty if it can."""
        ...

    def instructions(self) -> list[GivenInstruction]:
        """What was asked for, newest first."""
        ...

    def instruct(self, text: str) -> Outcome: ...

    def prompt(self, text: str) -> Outcome:
        """Have perception look for what words name."""
        ...

    def enable(self, enabled: bool) -> Outcome: ...

    def reset(self) -> Outcome: ...


class NoCommander:
    """Where there is no robot."""

    def problem(self) -> str:
        return "there is no policy: nothing to command"

    def instructions(self) -> list[GivenInstruction]:
        return []

    def instruct(self, text: str) -> Outcome:  # noqa: ARG002
        return self._refuse()

    def prompt(self, text: str) -> Outcome:  # noqa: ARG002
        return Outcome(done=False, message="there is no perception to look for words")

    def enable(self, enabled: bool) -> Outcome:  # noqa: ARG002
        return self._refuse()

    def reset(self) -> Outcome:
        return self._refuse()

    def _refuse(self) -> Outcome:
        return Outcome(done=False, message=self.problem())


class InstructionLog:
    """The last instructions, however they came; one that is only told again is not new."""

    def __init__(self) -> None:
        self._given: deque[GivenInstruction] = deque(maxlen=_KEPT)

    def add(self, text: str) -> None:
        if text and not (self._given and self._given[0].text == text):
            self._given.appendleft(GivenInstruction(text=text, at_s=time()))

    def newest_first(self) -> list[GivenInstruction]:
        return list(self._given)
