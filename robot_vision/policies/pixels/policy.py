"""A policy from pixels as the service runs it: its network in ONNX Runtime, its memory and its
noise.

The noise of a generative head is seeded by the frame's stamp: the same frame gives the same
actions.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float32

from robot_vision.core.clock import seconds_between
from robot_vision.core.errors import BundleError
from robot_vision.core.manifests.action_spec import ActionSpec
from robot_vision.core.manifests.observation_spec import ObservationSpec
from robot_vision.core.timing import timed
from robot_vision.core.types import Decision, Instruction, Observation
from robot_vision.model_store.policies import PolicyBundle
from robot_vision.policies.guards.check import foreign_perception
from robot_vision.policies.language.words import words_of
from robot_vision.policies.pixels.graph import PixelGraph
from robot_vision.policies.pixels.inputs import pixel_inputs
from robot_vision.policies.registry import POLICIES

# After a longer pause, or if the clock went back, carried state is stale.
FORGOTTEN_S = 2.0


@dataclass
class _Memory:
    """State that the network carries from step to step within one instruction."""

    instruction: Instruction | None = None
    stamp_ns: int = 0
    carried: dict[str, np.ndarray] = field(default_factory=dict)

    def of(self, instruction: Instruction, stamp_ns: int) -> dict[str, np.ndarray]:
        """The state carried to this moment; empty at a restart."""
        passed_s = seconds_between(self.stamp_ns, stamp_ns)
        if instruction is not self.instruction or not 0 < passed_s <= FORGOTTEN_S:
            self.carried = {}
        self.instruction, self.stamp_ns = instruction, stamp_ns
        return self.carried


class PixelPolicy:
    """A bundle of kind `pixels`, loaded and warmed up. See `core.interfaces.Policy`.

    Raises `BundleError` if it has no observation, or its network expects other inputs.
    """

    def __init__(self, bundle: PolicyBundle, *, threads: int = 0, spin: bool = True) -> None:
        self.manifest = bundle.manifest
        self.spec: ActionSpec = bundle.manifest.action_spec
        if bundle.manifest.observation is None:
            raise BundleError(f"{bundle.path} has no observation: a policy from pixels needs one")
        self.observation: ObservationSpec = bundle.manifest.observation
        self._words = words_of(bundle)
        self._graph = PixelGraph(bundle, self.observation, threads=threads, spin=spin)
        self.provider = self._graph.provider
        self._memory = _Memory()

    def instruct(self, text: str) -> Instruction:
        """Encode an instruction. `problem` is set if it cannot be followed."""
        return self._words.instruct(text)

    def decide(self, observation: Observation, instruction: Instruction) -> Decision:
        """A chunk of normalised actions, or the reason to hold."""
        stamp_ns = observation.stamp_ns
        refusal = instruction.problem or self._foreign(observation)
        if refusal:
            return Decision(stamp_ns=stamp_ns, action=None, hold_reason=refusal)
        stage_s: dict[str, float] = {}
        try:
            with timed(stage_s, "policy_inputs"):
                seen = pixel_inputs(observation, self.observation, history=self.spec.history)
        except ValueError as error:
            return Decision(stamp_ns=stamp_ns, action=None, hold_reason=str(error))
        if unfit := self._graph.unfit(seen.arrays):
            return Decision(stamp_ns=stamp_ns, action=None, hold_reason=unfit)
        past = self._memory.of(instruction, stamp_ns)
        with timed(stage_s, "policy_network"):
            action, carried = self._graph.run(
                seen.arrays, instruction.encoding, past, seed=stamp_ns
            )
        if all(np.isfinite(value).all() for value in carried.values()):
            self._memory.carried = carried
        blind = self._blind(seen.arrays)
        return Decision(
            stamp_ns=stamp_ns,
            action=None if blind else action,
            hold_reason=blind,
            stage_s=stage_s,
            masked=seen.masked + self._unheard(instruction.encoding),
            inputs={**seen.arrays, **self._graph.text(instruction.encoding)},
        )

    def close(self) -> None:
        """Nothing to release: the sessions are garbage-collected."""

    def _foreign(self, observation: Observation) -> str:
        """Why this policy cannot use the perception outputs; empty if it can."""
        if not self.observation.perception:
            return ""
        if not self.spec.perception_model_id:
            return ""
        foreign = foreign_perception(self.spec, observation.perception.model_id)
        features = observation.perception.features
        if foreign or features is None or "features" not in self.observation.perception:
            return foreign
        return foreign_perception(self.spec, features.model_id)

    def _blind(self, arrays: Mapping[str, np.ndarray]) -> str:
        """Why the arm must hold: no camera has a current picture."""
        newest = [arrays[f"seen_{camera.name}"][0, -1] for camera in self.observation.cameras]
        if not newest or any(newest):
            return ""
        return "no camera of the policy has a current picture"

    def _unheard(self, encoding: Float32[np.ndarray, "l d"]) -> tuple[str, ...]:
        return ("words",) if self.observation.words != "none" and not len(encoding) else ()


POLICIES.register("pixels")(PixelPolicy)
