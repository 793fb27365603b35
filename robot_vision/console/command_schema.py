"""Commands in the console's API: requests and their outcomes."""

from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from robot_vision.console.base_schema import Model, printable

MAX_INSTRUCTION = 500


class GivenInstruction(Model):
    """An instruction that went out, and when (seconds since 1970)."""

    text: str
    at_s: float


class CommandsState(Model):
    """Whether this client may command the robot, and if not, why."""

    allowed: bool
    reason: str = Field("", examples=["there is no policy: nothing to command"])


class InstructionRequest(Model):
    """What the arm is to do, in words."""

    text: Annotated[
        str,
        StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_INSTRUCTION),
        AfterValidator(printable),
    ] = Field(examples=["put the red block into the bowl"])


class PromptRequest(Model):
    """What is looked for by words, phrases separated by commas; empty: nothing."""

    text: Annotated[
        str,
        StringConstraints(strip_whitespace=True, max_length=MAX_INSTRUCTION),
        AfterValidator(printable),
    ] = Field(examples=["the red mug, a blue box"])


class Outcome(Model):
    """What became of a command, in words."""

    done: bool = Field(examples=[True])
    message: str = Field(examples=["the policy is enabled"])
