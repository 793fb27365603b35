"""A bundle ready to run on frames: pre-processing, back-end, outputs by role."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float32, Shaped

from robot_vision.backends import load_backend
from robot_vision.backends.contract import no_prompt
from robot_vision.core.cameras.placement import Placement
from robot_vision.core.errors import BundleError
from robot_vision.core.interfaces import Backend
from robot_vision.core.manifests.manifest import ModelManifest
from robot_vision.core.parameters.config import ServiceConfig
from robot_vision.core.timing import timed
from robot_vision.core.types import Frame
from robot_vision.formats.check import check_outputs
from robot_vision.formats.registry import FORMATS
from robot_vision.model_store.store import Bundle
from robot_vision.perception.carry import Carry
from robot_vision.perception.preprocess import Preprocessor

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, eq=False)
class ModelRun:
    """A model's outputs for one frame, by role, and the frame's placement in its input.

    `stage_s` is the time that pre-processing and inference took.
    """

    manifest: ModelManifest
    outputs: Mapping[str, np.ndarray]
    placement: Placement
    stage_s: Mapping[str, float] = field(default_factory=dict)

    def grid(self, role: str) -> Float32[np.ndarray, "c h w"] | None:
        """The part of an output [1, C, h, w] or [1, h, w] that shows the view; None if absent."""
        if role not in self.outputs:
            return None
        input_width_px = self.manifest.input.width_px
        output = self.outputs[role][0]
        channels = output if output.ndim == 3 else output[None]
        view = self.placement.crop(channels, input_width_px=input_width_px)
        return np.ascontiguousarray(view, np.float32)


class Model:
    """Runs one model; a blank frame is run and checked at construction.

    Raises `BundleError` if the outputs are not those of the manifest's format.
    """

    def __init__(self, bundle: Bundle, backend: Backend) -> None:
        self.manifest = bundle.manifest
        self.backend = backend
        self._preprocess = Preprocessor(bundle.manifest.input)
        spec = bundle.manifest.input
        blank = np.zeros((spec.height_px, spec.width_px, 3), np.uint8)
        inputs, _ = self._preprocess(blank)
        self._carry = Carry(self.manifest)
        self._unasked = no_prompt(self.manifest)
        tensors = self._run(inputs | self._unasked | self._carry.inputs(stamp_ns=0))
        self._carry.check(tensors)
        self._tensor_of = tensor_of_role(self.manifest, tensors)
        check_outputs(self.manifest, self._by_role(tensors))

    @property
    def roles(self) -> tuple[str, ...]:
        """The roles of its outputs."""
        return tuple(self._tensor_of)

    def run(self, frame: Frame, *, prompt: Mapping[str, np.ndarray] | None = None) -> ModelRun:
        """Run the model on `frame`; `prompt` holds the inputs of a text-prompted model."""
        stage_s: dict[str, float] = {}
        asked = self._unasked if prompt is None else prompt
        with timed(stage_s, "preprocess"):
            inputs, placement = self._preprocess(frame.rgb, frame.depth_m, frame.camera)
        with timed(stage_s, "inference"):
            carried = self._carry.inputs(stamp_ns=frame.stamp_ns)
            tensors = self._run({**inputs, **asked, **carried})
            self._carry.keep(tensors, stamp_ns=frame.stamp_ns)
        return ModelRun(
            manifest=self.manifest,
            outputs=self._by_role(tensors),
            placement=placement,
            stage_s=stage_s,
        )

    def answer(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Outputs by role for inputs that are already prepared; words are not asked."""
        return self._by_role(self._run({**inputs, **self._unasked}))

    def forget(self) -> None:
        """Reset the state carried between frames."""
        self._carry.forget()

    def _run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The model's outputs for the frame, by tensor name."""
        batch = self.manifest.input.batch
        tensors = self.backend.run(inputs)
        return {name: first_of_batch(tensor, batch) for name, tensor in tensors.items()}

    def _by_role(self, tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {role: tensors[name] for role, name in self._tensor_of.items()}


def first_of_batch(tensor: Shaped[np.ndarray, "..."], batch: int) -> Shaped[np.ndarray, "..."]:
    """The first picture's part of an output with a fixed batch."""
    return tensor[:1] if batch > 1 and tensor.shape[:1] == (batch,) else tensor


def load_model(
    bundle: Bundle, config: ServiceConfig, *, announce: Callable[[str], None] = _log.warning
) -> Model:
    """Load `bundle` on the device of `config` and check that its outputs fit its format.

    `announce` is called with a line before slow steps. Raises `BundleError` or `DeviceError`.
    """
    backend = load_backend(
        bundle,
        device=config.device,
        threads=config.threads,
        spin=config.spin,
        engine_cache_dir=config.engine_cache_dir,
        announce=announce,
    )
    batch = bundle.manifest.input.batch
    if batch > 1:
        announce(
            f"{bundle.manifest.model_id} computes {batch} pictures for each frame, because it "
            "was exported with that batch size: export it with batch 1 to save time"
        )
    return Model(bundle, backend)


def tensor_of_role(manifest: ModelManifest, tensors: Mapping[str, np.ndarray]) -> dict[str, str]:
    """Tensor names by role: from the manifest, or the only one, or by equal name.

    For roles that remain, the format may find the tensor by shape. Raises `BundleError` if a role
    of the format has no tensor.
    """
    format = FORMATS.get(manifest.format)
    roles = format.roles
    if manifest.outputs:
        tensor_of = dict(manifest.outputs)
    elif len(roles) == len(tensors) == 1:
        tensor_of = {roles[0]: next(iter(tensors))}
    else:
        tensor_of = {name: name for name in tensors}
    if format.roles_by_shape is not None and not set(roles) <= set(tensor_of):
        tensor_of = {**format.roles_by_shape(tensors, manifest), **tensor_of}
    missing = [role for role in roles if role not in tensor_of]
    if missing:
        raise BundleError(
            f"bundle {manifest.name!r}: format {manifest.format!r} needs the outputs "
            f"{', '.join(roles)}; {', '.join(missing)} is neither in the manifest's outputs nor "
            f"among the model's: {', '.join(tensors)}"
        )
    return tensor_of
