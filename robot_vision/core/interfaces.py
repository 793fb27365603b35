"""The interfaces of the stages; stages know these and `core`, never each other."""

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import numpy as np

from robot_vision.core.manifests.action_spec import ActionSpec
from robot_vision.core.parameters.config import ServiceConfig
from robot_vision.core.results.policy_status import ServerStatus
from robot_vision.core.types import (
    Decision,
    Frame,
    Instruction,
    Measurements,
    Observation,
    Percept,
    Tracks,
)


@runtime_checkable
class Backend(Protocol):
    """Runs one model: named arrays in, named arrays out.

    The provider is proven, not assumed: construction runs the model once, and `provider` names
    the execution provider that did the work ("cpu", "cuda", "tensorrt", "torch-cpu", …).
    """

    provider: str
    fallback_reason: str

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]: ...

    def close(self) -> None: ...


@runtime_checkable
class Perceiver(Protocol):
    """Runs the models on a frame."""

    class_names: tuple[str, ...]
    model_id: str
    provider: str
    fallback_reason: str

    def perceive(self, frame: Frame) -> Percept: ...

    def with_config(self, config: ServiceConfig) -> "Perceiver":
        """The same loaded models with other detector and depth parameters, or another prompt."""
        ...

    def forget(self) -> None:
        """Start over: nothing of earlier frames affects the next one."""
        ...

    def close(self) -> None: ...


@runtime_checkable
class Tracker(Protocol):
    """Gives objects persistent ids. Time comes only from the stamps of the measurements."""

    def update(self, measurements: Measurements) -> Tracks: ...

    def predict(self, stamp_ns: int) -> Tracks:
        """Predict the tracks to `stamp_ns` without evidence (for a frame that was not
        computed)."""
        ...

    def reset(self) -> None:
        """Forget all tracks and begin a new epoch; ids continue from where they were."""
        ...


@runtime_checkable
class Policy(Protocol):
    """Maps instructions and observations to action chunks. Owns no clock.

    It may cache what it computed from an instruction, keyed by the object that `instruct`
    returned.
    """

    spec: ActionSpec
    provider: str

    def instruct(self, text: str) -> Instruction:
        """Text in, tokens and their encoding out; computed once per instruction."""
        ...

    def decide(self, observation: Observation, instruction: Instruction) -> Decision: ...

    def close(self) -> None: ...


@runtime_checkable
class PointingPolicy(Policy, Protocol):
    """A policy that points at tracks, and follows `Observation.pointed`."""

    points_at_tracks: bool


@runtime_checkable
class ConnectedPolicy(Policy, Protocol):
    """A policy that decides on another machine, and reports its connection."""

    def status(self) -> ServerStatus:
        """The connection and its figures so far."""
        ...

    def news(self) -> tuple[str, ...]:
        """Changes of the connection since the last call, for the log."""
        ...
