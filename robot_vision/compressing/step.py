"""A step of compression: on weights (from a run's folder to the next) or on a graph (a bundle)."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from robot_vision.core.errors import RobotVisionError
from robot_vision.core.parameters.params import Params
from robot_vision.core.registry import Registry
from robot_vision.model_store.store import Bundle
from robot_vision.training.engine.report import Reporter


class NotAcceptedError(RobotVisionError):
    """A step's result is not accepted; the message has the figures."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Case:
    """Shared by all steps of a plan. `original` is the folder of its original weights.

    A variant may lose `most_lost` of the task's figure. Times are measured with `threads` threads.
    """

    original: Path
    validation: Path
    images: int
    threads: int
    rounds: int
    most_lost: float
    reporter: Callable[[], AbstractContextManager[Reporter]]
    say: Callable[[str], None]


class Step(Params, ABC):
    """Options of a step in the plan; `kind` is its name there."""

    kind: ClassVar[str]

    @abstractmethod
    def words(self) -> str:
        """A description, for the history and for folders."""


class WeightStep(Step):
    """Writes a run's folder from another one: weights, recipe and curves."""

    @abstractmethod
    def apply(self, begin: Path, out: Path, case: Case) -> str:
        """Write `out`; returns a summary for the report. Resumes where it was stopped."""


class GraphStep(Step):
    """Writes a bundle in another precision from an exported one; the last step of a chain."""

    precision: ClassVar[str]

    @abstractmethod
    def apply(self, bundle: Bundle, run: Path, out: Path, case: Case) -> str:
        """Write the ONNX file `out`; returns a summary for the report.

        Raises `NotAcceptedError` if it is slower or less accurate.
        """


STEPS: Registry[type[Step]] = Registry("step", package="robot_vision.compressing.steps")
