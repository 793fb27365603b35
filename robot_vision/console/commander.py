"""Commands to the robot: their receiver and the log of instructions."""

from collections import deque
from time import time
from typing import Protocol, runtime_checkable

from robot_vision.console.command_schema import GivenInstruction, Outcome

_KEPT = 50


@runtime_checkable
class Commander(Protocol):
    """Forwards commands and waits at most a few seconds for the answer. Thread-safe."""

    def problem(self) -> str:
        """Why no command can be sent now; empty if one can."""
        ...

    def instructions(self) -> list[GivenInstruction]:
        """Past instructions, newest first."""
        ...

    def instruct(self, text: str) -> Outcome: ...

    def prompt(self, text: str) -> Outcome:
        """Set the prompt of perception."""
        ...

    def enable(self, enabled: bool) -> Outcome: ...

    def reset(self) -> Outcome: ...


class NoCommander:
    """Used without a robot."""

    def problem(self) -> str:
        return "there is no policy: nothing to command"

    def instructions(self) -> list[GivenInstruction]:
        return []

    def instruct(self, text: str) -> Outcome:  # noqa: ARG002
        return self._refuse()

    def prompt(self, text: str) -> Outcome:  # noqa: ARG002
        return Outcome(done=False, message="there is no perception to send a prompt to")

    def enable(self, enabled: bool) -> Outcome:  # noqa: ARG002
        return self._refuse()

    def reset(self) -> Outcome:
        return self._refuse()

    def _refuse(self) -> Outcome:
        return Outcome(done=False, message=self.problem())


class InstructionLog:
    """The last instructions from any source; a repeated one is not new."""

    def __init__(self) -> None:
        self._given: deque[GivenInstruction] = deque(maxlen=_KEPT)

    def add(self, text: str) -> None:
        if text and not (self._given and self._given[0].text == text):
            self._given.appendleft(GivenInstruction(text=text, at_s=time()))

    def newest_first(self) -> list[GivenInstruction]:
        return list(self._given)
