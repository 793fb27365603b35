"""The learned policy as the service runs it: two small networks in ONNX Runtime."""

import numpy as np
from jaxtyping import Float32

from robot_vision.core.errors import BundleError
from robot_vision.core.manifests.action_spec import ActionSpec
from robot_vision.core.timing import timed
from robot_vision.core.types import Decision, Instruction, Observation
from robot_vision.model_store.policies import PolicyBundle
from robot_vision.policies.guards.check import foreign_perception
from robot_vision.policies.language.words import VocabularyEncoder
from robot_vision.policies.observing.grounded_pointing import GroundedPointing
from robot_vision.policies.observing.observation import encode_observation
from robot_vision.policies.observing.target_memory import NONE, PointingMemory
from robot_vision.policies.observing.tokens import (
    MAX_OBJECTS,
    OBJECT_WIDTH,
    VISUAL_COLUMNS,
    VISUAL_ROWS,
    VISUAL_WIDTH,
    PolicyInputs,
    robot_width,
)
from robot_vision.policies.registry import POLICIES
from robot_vision.policies.session import open_policy_session

NETWORK_INPUTS = (
    "text",
    "text_present",
    "objects",
    "objects_present",
    "visual",
    "visual_present",
    "robot",
    "bias",
)
NETWORK_OUTPUTS = ("action", "pointers", "attention")
# Warm-up makes the first frame as fast as the others.
_WARM_UP_RUNS = 2


class OnnxPolicy:
    """A policy bundle, loaded and warm. See `core.interfaces.Policy`.

    Raises `BundleError` if its networks cannot be loaded or expect other inputs than those made
    here.
    """

    provider = "cpu"
    points_at_tracks = True

    def __init__(self, bundle: PolicyBundle, *, threads: int = 0, spin: bool = True) -> None:
        self.manifest = bundle.manifest
        self.spec: ActionSpec = bundle.manifest.action_spec
        self._words = VocabularyEncoder(bundle)
        self._network = open_policy_session(
            bundle.network_path, inputs=NETWORK_INPUTS, threads=threads, spin=spin
        )
        self._check_tokens(bundle)
        self._instruction: Instruction | None = None
        self._memory, self._grounded = PointingMemory(), GroundedPointing()
        self._warm_up()

    def instruct(self, text: str) -> Instruction:
        """Tokenise and encode an instruction. `problem` is set if it cannot be followed."""
        return self._words.instruct(text)

    def decide(self, observation: Observation, instruction: Instruction) -> Decision:
        """A chunk of normalised actions, or the reason to hold."""
        stamp_ns = observation.stamp_ns
        model_id = observation.perception.model_id
        refusal = instruction.problem or foreign_perception(self.spec, model_id)
        if refusal:
            return Decision(stamp_ns=stamp_ns, action=None, hold_reason=refusal)
        stage_s: dict[str, float] = {}
        with timed(stage_s, "policy_tokens"):
            inputs = encode_observation(observation, history=self.spec.history)
        if instruction is not self._instruction:
            self._instruction = instruction
            self._memory, self._grounded = PointingMemory(), GroundedPointing()
        pointed = observation.pointed
        bias = self._memory.bias(inputs, stamp_ns) + self._grounded.bias(inputs, pointed)
        with timed(stage_s, "policy_network"):
            action, pointers, attention = self._run(inputs, instruction.encoding, bias)
        choice = (pointers + bias).argmax(axis=1)
        is_sure = self._memory.note(inputs, pointers, choice, stamp_ns)
        ungrounded = self._grounded.note(inputs, choice, pointed, self._memory)
        target, destination = choice.tolist()
        hold = ""
        if ungrounded and pointed is not None and pointed.is_required:
            hold = "; ".join(f"no {problem}" for problem in ungrounded)
        elif target == NONE:
            hold = f"nothing in view matches {instruction.text!r}"
        elif not is_sure:
            hold = f"identifying the objects named in {instruction.text!r}"
        return Decision(
            stamp_ns=stamp_ns,
            action=None if hold else action,
            hold_reason=hold,
            target_track_id=_track_id(inputs, target),
            destination_track_id=_track_id(inputs, destination),
            attention=attention.reshape(VISUAL_ROWS, VISUAL_COLUMNS),
            stage_s=stage_s,
            masked=ungrounded,
        )

    def close(self) -> None:
        """Nothing to release: the sessions are garbage-collected."""

    def _run(
        self,
        inputs: PolicyInputs,
        encoding: Float32[np.ndarray, "l d"],
        bias: Float32[np.ndarray, "2 p"],
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        words = self._words.max_words
        text = np.zeros((1, words, encoding.shape[1]), np.float32)
        text[0, : len(encoding)] = encoding
        fed = (
            text,
            np.arange(words)[None] < len(encoding),
            inputs.objects[None],
            inputs.present[None],
            inputs.visual[None],
            np.array([[inputs.has_visual]]),
            inputs.robot[None],
            bias[None],
        )
        outputs = self._network.run(
            list(NETWORK_OUTPUTS), dict(zip(NETWORK_INPUTS, fed, strict=True))
        )
        action, pointers, attention = (np.asarray(output)[0] for output in outputs)
        return action, pointers, attention

    def _check_tokens(self, bundle: PolicyBundle) -> None:
        """Raises `BundleError` if the network was trained on tokens of another layout."""
        made = {
            "objects": [1, MAX_OBJECTS, OBJECT_WIDTH],
            "visual": [1, VISUAL_ROWS * VISUAL_COLUMNS, VISUAL_WIDTH],
            "robot": [1, robot_width(self.spec.history)],
        }
        taken = {tensor.name: tensor.shape for tensor in self._network.get_inputs()}
        for name, shape in made.items():
            if taken[name] != shape:
                raise BundleError(
                    f"{bundle.network_path} expects {name} of shape {taken[name]}; this version "
                    f"makes {shape}: retrain the policy"
                )

    def _warm_up(self) -> None:
        blank = {t.name: t for t in self._network.get_inputs()}
        fed = {
            name: np.zeros(t.shape, bool if t.type == "tensor(bool)" else np.float32)
            for name, t in blank.items()
        }
        for _ in range(_WARM_UP_RUNS):
            self._network.run(None, fed)


def _track_id(inputs: PolicyInputs, choice: int) -> int:
    return int(inputs.track_id[choice]) if choice < MAX_OBJECTS else -1


POLICIES.register("tokens")(OnnxPolicy)
