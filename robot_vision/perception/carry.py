"""State that a model carries from frame to frame: outputs of one frame that are inputs of the
next."""

import logging
from collections.abc import Mapping

import numpy as np

from robot_vision.backends.contract import no_history
from robot_vision.core.clock import seconds_between
from robot_vision.core.errors import BundleError
from robot_vision.core.manifests.manifest import ModelManifest

_log = logging.getLogger(__name__)


class Carry:
    """The state of one model between frames; empty for a model without state.

    Stamps are the only time: after a stamp that goes back, or a gap longer than the manifest's
    `carried_gap_s`, the state is reset, both live and in replay.
    """

    def __init__(self, manifest: ModelManifest) -> None:
        self._manifest = manifest
        self._zeros = no_history(manifest.input)
        self.forget()

    def inputs(self, *, stamp_ns: int) -> dict[str, np.ndarray]:
        """Inputs carried from the previous frame, by name."""
        if self._last_ns is not None:
            passed_s = seconds_between(self._last_ns, stamp_ns)
            if not 0 <= passed_s <= self._manifest.input.carried_gap_s:
                self.forget()
        return dict(self._state)

    def keep(self, tensors: Mapping[str, np.ndarray], *, stamp_ns: int) -> None:
        """Keep the model's outputs for the next frame.

        NaN would stay forever: it is logged, and the state is reset.
        """
        state = {
            s.input: np.array(tensors[s.output], np.float32) for s in self._manifest.input.carried
        }
        broken = [name for name, array in state.items() if not np.isfinite(array).all()]
        if broken:
            _log.warning(
                "%s carries values for %s that are not finite: its state is reset",
                self._manifest.model_id,
                ", ".join(broken),
            )
            self.forget()
            return
        self._state, self._last_ns = state, stamp_ns

    def forget(self) -> None:
        """Reset the state before the next frame."""
        self._state = self._zeros
        self._last_ns: int | None = None

    def check(self, tensors: Mapping[str, np.ndarray]) -> None:
        """Raise `BundleError` unless carried outputs have the shapes of their inputs."""
        for state in self._manifest.input.carried:
            found, wanted = tensors[state.output], self._zeros[state.input]
            if found.shape != wanted.shape or found.dtype != wanted.dtype:
                raise BundleError(
                    f"bundle {self._manifest.name!r}: output {state.output!r} is {found.dtype} "
                    f"{list(found.shape)}; the input {state.input!r} that it is carried to "
                    f"expects {wanted.dtype} {list(wanted.shape)}"
                )
