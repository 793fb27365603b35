"""ONNX models behind the back-end interface: arrays in, arrays out."""

from collections.abc import Mapping

import numpy as np

from robot_vision.backends.contract import blank_inputs, wanted_outputs
from robot_vision.backends.io_binding import BoundRunner
from robot_vision.backends.onnx_session import SessionRequest, open_session


class OnnxBackend:
    """One ONNX model in a session. `provider` is the one that did the warm-up run."""

    def __init__(self, request: SessionRequest) -> None:
        manifest = request.bundle.manifest
        opened = open_session(request)
        self.provider = opened.provider
        self.fallback_reason = opened.fallback_reason
        self._session = opened.session
        self._outputs = wanted_outputs(
            manifest, [str(output.name) for output in self._session.get_outputs()]
        )
        self._bound = None
        if self.provider != "cpu":
            blank = blank_inputs(manifest)
            self._bound = BoundRunner(self._session, blank, self._outputs, device="cuda")

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The model's outputs by tensor name."""
        if self._bound is not None:
            return self._bound.run(inputs)
        values = self._session.run(self._outputs, dict(inputs))
        return dict(zip(self._outputs, values, strict=True))  # pyright: ignore[reportReturnType]

    def close(self) -> None:
        """Release the session and its memory."""
        self._bound = None
        del self._session
