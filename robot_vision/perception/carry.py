"""What a model carries from frame to frame: outputs of one frame that are inputs of the next."""

import logging
from collections.abc import Mapping

import numpy as np

from robot_vision.backends.contract import no_history
from robot_vision.core.clock import seconds_between
from robot_vision.core.errors import BundleError
from robot_vision.core.manifest import ModelManifest

_log = logging.getLogger(__name__)


class Carry:
    """The state of one model between frames; a model that carries nothing has none.

    Stamps are the only time: after one that goes back, or leaves more than the manifest's
    `carried_gap_s`, the model begins anew, live and in a replay alike.
    """

    def __init__(self, manifest: ModelManifest) -> None:
        self._manifest = manifest
        self._zeros = no_history(manifest.input)
        self.forget()

    def inputs(self, *, stamp_ns: int) -> dict[str, np.ndarray]:
        """What the model is fed of the frame before, by the input's name."""
        if self._last_ns is not None:
            passed_s = seconds_between(self._last_ns, stamp_ns)
            if not 0 <= passed_s <= self._manifest.input.carried_gap_s:
                self.forget()
        return dict(self._state)

    def keep(self, tensors: Mapping[str, np.ndarray], *, stamp_ns: int) -> None:
        """Keep what the model says of a frame for the next one.

        What is no number would stay for ever: it is logged, and the model begins anew.
        """
        state = {
            s.input: np.array(tensors[s.output], np.float32) for s in self._manifest.input.carried
        }
        broken = [name for name, array in state.items() if not np.isfinite(array).all()]
        if broken:
            _log.warning(
                "%s carries values for %s that are not finite: it begins anew",
                self._manifest.model_id,
                ", ".join(broken),
            )
            self.forget()
            return
        self._state, self._last_ns = state, stamp_ns

    def forget(self) -> None:
        """Begin anew with the next frame."""
        self._state = self._zeros
        self._last_ns: int | None = None

    def check(self, tensors: Mapping[str, np.ndarray]) -> None:
        """Raise `BundleError` unless outputs have the shapes of the inputs that they become."""
        for state in self._manifest.input.carried:
            found, wanted = tensors[state.output], self._zeros[state.input]
            if found.shape != wanted.shape or found.dtype != wanted.dtype:
                raise BundleError(
                    f"bundle {self._manifest.name!r}: output {state.output!r} is {found.dtype} "
                    f"{list(found.shape)}; the input {state.input!r} that it is carried to takes "
                    f"{wanted.dtype} {list(wanted.shape)}"
                )
