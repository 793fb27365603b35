"""Detects the objects that a prompt names, with a text-prompted model."""

from robot_vision.core.parameters.config import ServiceConfig
from robot_vision.core.types import Frame, Grounded, no_detections
from robot_vision.grounding.prompt_encoder import PromptEncoder
from robot_vision.perception.detect import Detector
from robot_vision.perception.model import Model


class Grounder:
    """One prompt, parsed at construction. Without a valid phrase no model runs."""

    def __init__(self, model: Model, encoder: PromptEncoder, config: ServiceConfig) -> None:
        self._model, self._encoder = model, encoder
        self._encoded = encoder.encode(config.prompt)
        sought = self._encoded.prompt.sought
        selection = config.detector.model_copy(
            update={"classes": [], "score_threshold": config.grounding_threshold}
        )
        manifest = model.manifest.model_copy(update={"classes": sought})
        self._detector = Detector(manifest, selection)

    @property
    def seeks(self) -> bool:
        """Whether the prompt has a valid phrase."""
        return bool(self._encoded.prompt.sought)

    def ground(self, frame: Frame) -> Grounded:
        """Boxes of each phrase."""
        prompt = self._encoded.prompt
        detections = no_detections(frame.stamp_ns)
        if self.seeks:
            run = self._model.run(frame, prompt=self._encoded.inputs)
            detections = self._detector.detections(run, stamp_ns=frame.stamp_ns)
        return Grounded(
            prompt=prompt, detections=detections, model_id=self._model.manifest.model_id
        )

    def with_config(self, config: ServiceConfig) -> "Grounder":
        """The same loaded model with another prompt or other thresholds."""
        return Grounder(self._model, self._encoder, config)
