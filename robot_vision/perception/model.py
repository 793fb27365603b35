"""A bundle ready to run on frames: pre-processing, back-end, outputs by the role they play."""

from collections.abc import Mapping, MutableMapping

import numpy as np

from robot_vision.core.errors import BundleError
from robot_vision.core.interfaces import Backend
from robot_vision.core.manifest import ModelManifest
from robot_vision.core.timing import timed
from robot_vision.core.types import Frame
from robot_vision.model_store.store import Bundle
from robot_vision.perception.preprocess import Placement, Preprocessor


class Model:
    """Runs one model. `outputs` of a run are named by role; construction runs a blank frame."""

    def __init__(self, bundle: Bundle, backend: Backend, *, roles: tuple[str, ...]) -> None:
        self.manifest = bundle.manifest
        self.backend = backend
        self._preprocess = Preprocessor(bundle.manifest.input)
        spec = bundle.manifest.input
        blank = np.zeros((spec.height_px, spec.width_px, 3), np.uint8)
        inputs, _ = self._preprocess(blank)
        tensors = self.backend.run(inputs)
        self._tensor_of = _tensor_of_role(self.manifest, roles, tuple(tensors))
        self.blank_outputs = self._by_role(tensors)

    def run(
        self, frame: Frame, *, stage_s: MutableMapping[str, float]
    ) -> tuple[dict[str, np.ndarray], Placement]:
        """Outputs by role, and where the frame's view lies in the model's input."""
        with timed(stage_s, "preprocess"):
            inputs, placement = self._preprocess(frame.rgb, frame.depth_m)
        with timed(stage_s, "inference"):
            tensors = self.backend.run(inputs)
        return self._by_role(tensors), placement

    def _by_role(self, tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {role: tensors[name] for role, name in self._tensor_of.items()}


def _tensor_of_role(
    manifest: ModelManifest, roles: tuple[str, ...], tensors: tuple[str, ...]
) -> dict[str, str]:
    """Tensor names by role: as the manifest says, or the only one there is, or of equal names."""
    if manifest.outputs:
        tensor_of = dict(manifest.outputs)
    elif len(roles) == len(tensors) == 1:
        tensor_of = {roles[0]: tensors[0]}
    else:
        tensor_of = {name: name for name in tensors}
    missing = [role for role in roles if role not in tensor_of]
    if missing:
        raise BundleError(
            f"bundle {manifest.name!r}: format {manifest.format!r} needs the outputs "
            f"{', '.join(roles)}; {', '.join(missing)} is neither in the manifest's outputs nor "
            f"among the model's: {', '.join(tensors)}"
        )
    return tensor_of
