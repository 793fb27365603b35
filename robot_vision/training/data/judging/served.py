"""The served graphs of a policy from pixels as one, with words as tokens."""

from collections.abc import Mapping

import numpy as np

from robot_vision.models.policies.pixel_spec import InputShape
from robot_vision.training.engine.task import Predictor


class ServedPolicy:
    """Takes inputs of a moment, `tokens` and carried state; answers like the network.

    Words are encoded once as long as they stay the same. Other network inputs
    (memory before the first moment, noise of a head) are zeros.
    """

    def __init__(
        self,
        network: Predictor,
        language: Predictor | None,
        shapes: Mapping[str, InputShape],
    ) -> None:
        self._network, self._language, self._shapes = network, language, dict(shapes)
        self._said: tuple[bytes, np.ndarray] | None = None

    def __call__(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        given = dict(inputs)
        tokens = given.pop("tokens", None)
        if tokens is not None:
            given |= {"text": self._encoding(tokens), "text_seen": tokens > 0}
        for name, shape in self._shapes.items():
            if name not in given:
                given[name] = np.zeros((1, *shape.shape), shape.kind)
        return self._network({name: given[name] for name in self._shapes})

    def _encoding(self, tokens: np.ndarray) -> np.ndarray:
        assert self._language is not None, "words were given to a policy that takes none"
        said = tokens.tobytes()
        if self._said is None or self._said[0] != said:
            self._said = (said, self._language({"tokens": tokens})["encoding"])
        return self._said[1]
