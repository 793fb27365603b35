"""A step of compression: of weights (a run's folder to the next), or of the graph (a bundle)."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from robot_vision.core.errors import RobotVisionError
from robot_vision.core.params import Params
from robot_vision.core.registry import Registry
from robot_vision.model_store.store import Bundle
from robot_vision.training.engine.report import Reporter


class NotAcceptedError(RobotVisionError):
    """What a step made is not worth having, with the figures that say so."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Case:
    """What all steps of a plan share. `original` is the folder of the weights it began with.

    A variant may lose `most_lost` of the task's figure. Times are of `threads` threads.
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
    """Options of a step, as the plan has them; `kind` is its name there."""

    kind: ClassVar[str]

    @abstractmethod
    def words(self) -> str:
        """What is done, for the history and for folders."""


class WeightStep(Step):
    """From the folder of a run to another: weights, recipe and curves."""

    @abstractmethod
    def apply(self, begin: Path, out: Path, case: Case) -> str:
        """Write `out`; returns what a person should know of it. Goes on where it was stopped."""


class GraphStep(Step):
    """From an exported bundle to one of other numbers; the last step of a chain."""

    precision: ClassVar[str]

    @abstractmethod
    def apply(self, bundle: Bundle, run: Path, out: Path, case: Case) -> str:
        """Write the ONNX file `out`; returns what a person should know.

        Raises `NotAcceptedError` where it is slower or says something else.
        """


STEPS: Registry[type[Step]] = Registry("step", package="robot_vision.compressing.steps")
