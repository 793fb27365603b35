"""The served graph of a policy from pixels: checks, completes and runs its inputs."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float32

from robot_vision.core.errors import BundleError
from robot_vision.core.manifests.observation_spec import ObservationSpec
from robot_vision.core.manifests.policy_manifest import Sentences
from robot_vision.model_store.policies import PolicyBundle
from robot_vision.policies.engines import open_network

# Warm-up makes the first frame as fast as the others.
_WARM_UP_RUNS = 2
_DTYPES = {
    "tensor(uint8)": np.uint8,
    "tensor(bool)": np.bool_,
    "tensor(float)": np.float32,
}
_PAST = "past_"


class PixelGraph:
    """The warmed-up network of a bundle. Raises `BundleError` naming what does not fit.

    `provider` is the execution provider.
    """

    def __init__(
        self, bundle: PolicyBundle, seen: ObservationSpec, *, threads: int, spin: bool
    ) -> None:
        self._path = bundle.network_path
        self._session = open_network(
            self._path, inputs=_names(seen), threads=threads, spin=spin, optional=("noise", _PAST)
        )
        self.provider: str = getattr(self._session, "provider", "cpu")
        self._inputs = {tensor.name: tensor for tensor in self._session.get_inputs()}
        self._outputs = [tensor.name for tensor in self._session.get_outputs()]
        self._carried = [name[len(_PAST) :] for name in self._inputs if name.startswith(_PAST)]
        self._check(_shapes(seen) | _text_shapes(bundle.manifest.sentences))
        blank = {name: self._zeros(name) for name in self._inputs}
        for _ in range(_WARM_UP_RUNS):
            self._session.run(None, blank)

    def run(
        self,
        arrays: Mapping[str, np.ndarray],
        encoding: Float32[np.ndarray, "l d"],
        past: Mapping[str, np.ndarray],
        *,
        seed: int,
    ) -> tuple[Float32[np.ndarray, "t a"], dict[str, np.ndarray]]:
        """The chunk, and the state carried to the next step. State missing in `past` starts at
        zero."""
        fed = dict(arrays)
        for name, tensor in self._inputs.items():
            if name == "noise":
                draw = np.random.default_rng(seed)
                fed[name] = draw.standard_normal(tensor.shape, np.float32)
            elif name.startswith(_PAST):
                fed[name] = past.get(name[len(_PAST) :], self._zeros(name))
            elif name == "text":
                fed |= self.text(encoding)
            elif name not in fed and name != "text_seen":
                fed[name] = self._zeros(name)
        found = self._session.run(["action", *self._carried], fed)
        action, *carried = (np.asarray(value) for value in found)
        return action[0], dict(zip(self._carried, carried, strict=True))

    def unfit(self, arrays: Mapping[str, np.ndarray]) -> str:
        """Which perception outputs differ in size from training; empty if all fit."""
        found = [
            f"perception's {name} have the shape {list(arrays[name].shape[1:])}; the policy was "
            f"trained with {self._inputs[name].shape[1:]}: run perception on the camera and "
            "image size used in training"
            for name in ("features", "tracks")
            if name in arrays and list(arrays[name].shape) != self._inputs[name].shape
        ]
        return "; ".join(found)

    def text(self, encoding: Float32[np.ndarray, "l d"]) -> dict[str, np.ndarray]:
        """Encoded words as inputs; nothing where the network takes none."""
        if "text" not in self._inputs:
            return {}
        text = self._zeros("text")
        length = min(len(encoding), text.shape[1])
        text[0, :length] = encoding[:length]
        return {"text": text, "text_seen": np.arange(text.shape[1])[None] < length}

    def _zeros(self, name: str) -> np.ndarray:
        tensor = self._inputs[name]
        return np.zeros(tensor.shape, _DTYPES[tensor.type])

    def _check(self, wanted: Mapping[str, list[int]]) -> None:
        """Check shapes against the manifest, fixed sizes, and an output for every carried
        state."""
        for name, tensor in self._inputs.items():
            if not all(isinstance(size, int) for size in tensor.shape) or tensor.shape[:1] != [1]:
                raise BundleError(
                    f"{self._path} has input {name} of shape {tensor.shape}; expected fixed "
                    "sizes and a batch of 1: export it again"
                )
            if tensor.type not in _DTYPES:
                raise BundleError(
                    f"{self._path} has input {name} of type {tensor.type}: export it again"
                )
            if name in wanted and tensor.shape != wanted[name]:
                raise BundleError(
                    f"{self._path} has input {name} of shape {tensor.shape}; by the observation "
                    f"in policy.yaml it must be {wanted[name]}: export it again"
                )
        missing = [n for n in ("action", *self._carried) if n not in self._outputs]
        if missing:
            raise BundleError(
                f"{self._path} lacks the outputs {', '.join(missing)}; it has "
                f"{', '.join(self._outputs)}: export it again"
            )


def _names(seen: ObservationSpec) -> tuple[str, ...]:
    """Inputs required by the observation."""
    return (
        *_shapes(seen),
        *(("text", "text_seen") if seen.words != "none" else ()),
        *(("features", "features_seen") if "features" in seen.perception else ()),
        *(("tracks", "tracks_seen") if "tracks" in seen.perception else ()),
    )


def _text_shapes(said: Sentences | None) -> dict[str, list[int]]:
    """Shapes that follow from the encoder of sentences."""
    if said is None:
        return {}
    tokens = [1, said.max_tokens]
    return {"text": [*tokens, said.width], "text_seen": tokens}


def _shapes(seen: ObservationSpec) -> dict[str, list[int]]:
    """Shapes that follow from the observation alone."""
    shapes: dict[str, list[int]] = {}
    for camera in seen.cameras:
        size = [1, seen.steps, camera.height_px, camera.width_px]
        shapes |= {f"rgb_{camera.name}": [*size, 3], f"seen_{camera.name}": size[:2]}
        if camera.has_depth:
            shapes |= {f"depth_{camera.name}": size, f"depth_seen_{camera.name}": size[:2]}
    if seen.cameras or seen.state != "none":
        shapes["age_s"] = [1, seen.steps]
    if seen.state != "none":
        shapes |= {"state": [1, seen.steps, seen.state_width], "state_seen": [1, seen.steps]}
    return shapes
