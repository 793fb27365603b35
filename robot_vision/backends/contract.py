"""What a manifest promises about its model, and the check that the model complies."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from robot_vision.core.errors import BundleError
from robot_vision.core.manifests.manifest import ModelInput, ModelManifest


@dataclass(frozen=True, kw_only=True)
class TensorSpec:
    """Shape and type of a tensor; a dimension that may be anything is None."""

    shape: tuple[int | None, ...]
    dtype: str

    def __str__(self) -> str:
        dims = ", ".join("?" if size is None else str(size) for size in self.shape)
        return f"{self.dtype} [{dims}]"


def blank_inputs(manifest: ModelManifest) -> dict[str, np.ndarray]:
    """Inputs of an empty frame, with every dimension resolved: what a warm-up run is fed."""
    image = manifest.input
    height, width = image.height_px, image.width_px
    shape = (1, 3, height, width) if image.layout == "nchw" else (1, height, width, 3)
    inputs: dict[str, np.ndarray] = {image.name: np.zeros(shape, image.dtype)}
    if image.depth_name:
        inputs[image.depth_name] = np.zeros((1, 1, height, width), np.float32)
    if image.focal_name:
        inputs[image.focal_name] = np.zeros((1, 1), np.float32)
    if image.size_name:
        inputs[image.size_name] = np.array([[width, height]], np.int64)
    inputs = {name: np.repeat(array, image.batch, axis=0) for name, array in inputs.items()}
    return inputs | no_history(image) | no_prompt(manifest)


def no_history(image: ModelInput) -> dict[str, np.ndarray]:
    """The input of a model that carries state where there is no previous frame."""
    return {state.input: np.zeros((1, *state.shape), np.float32) for state in image.carried}


def no_prompt(manifest: ModelManifest) -> dict[str, np.ndarray]:
    """The input of a model with a text prompt where the prompt is empty."""
    words = manifest.prompt
    if words is None:
        return {}
    shape = (1, words.phrases, words.tokens)
    return {
        words.name: np.zeros((*shape, words.width), np.float32),
        words.mask_name: np.zeros(shape, np.bool_),
    }


def check_inputs(manifest: ModelManifest, model_inputs: Mapping[str, TensorSpec]) -> None:
    """Raise `BundleError` unless the model takes exactly the inputs of the manifest."""
    promised = blank_inputs(manifest)
    _check_names(manifest, "inputs", list(promised), list(model_inputs))
    for name, array in promised.items():
        spec = model_inputs[name]
        same_rank = len(spec.shape) == array.ndim
        fits = same_rank and all(
            size in (None, wanted) for size, wanted in zip(spec.shape, array.shape, strict=True)
        )
        if not fits or spec.dtype != str(array.dtype):
            raise BundleError(
                f"bundle {manifest.name!r}: the model's input {name!r} is {spec}, "
                f"the manifest says {array.dtype} {list(array.shape)}"
            )


def wanted_outputs(manifest: ModelManifest, model_outputs: Sequence[str]) -> list[str]:
    """The outputs to fetch: those that the manifest names, or all if it names none."""
    carried = [state.output for state in manifest.input.carried]
    named = list(manifest.outputs.values())
    named += [name for name in carried if named and name not in named]
    missing = [name for name in [*named, *carried] if name not in model_outputs]
    if missing:
        raise BundleError(
            f"bundle {manifest.name!r}: the model has no output {', '.join(map(repr, missing))}; "
            f"it has: {', '.join(model_outputs)}"
        )
    return named or list(model_outputs)


def _check_names(
    manifest: ModelManifest, what: str, promised: Sequence[str], present: Sequence[str]
) -> None:
    if set(promised) != set(present):
        raise BundleError(
            f"bundle {manifest.name!r}: the manifest's {what} are {', '.join(promised)}; "
            f"the model has: {', '.join(present)}"
        )
