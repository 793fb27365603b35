"""The ways in which a model may work: how pictures are fed, how its outputs are read."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np

from robot_vision.core.manifests.manifest import ModelInput
from robot_vision.formats.format import Format
from robot_vision.formats.habits import IMAGENET

# Usual inputs: pixels from 0 to 1, from 0 to 255, normalised by ImageNet's colours, from −1 to 1.
_PLAIN = {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}
_HALF = {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}
SCALES: dict[str, dict[str, Any]] = {
    "0 to 1": {"scale": 1 / 255, **_PLAIN},
    "0 to 255": {"scale": 1.0, **_PLAIN},
    "ImageNet's mean": {"scale": 1 / 255, **IMAGENET},
    "-1 to 1": {"scale": 1 / 255, **_HALF},
}
SCALE_FIELDS = ("scale", "mean", "std")


def readings_of(format: Format, given: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Every way to read its outputs, the commonest first; `given` fields stay."""
    choices = {
        field: (given[field],) if field in given else values
        for field, values in format.readings.items()
    }
    left = {field: value for field, value in given.items() if field not in choices}
    for values in product(*choices.values()):
        yield dict(zip(choices, values, strict=True)) | left


def scalings_of(spec: ModelInput, given: Sequence[str]) -> list[ModelInput]:
    """`spec`, and variants with other pixel scalings, unless a field of these is `given`."""
    found = [spec]
    if spec.dtype == "uint8" or any(field in given for field in SCALE_FIELDS):
        return found
    for scale in SCALES.values():
        other = spec.model_copy(update=_in_order_of(spec, scale))
        if not any(_same_scaling(other, known) for known in found):
            found.append(other)
    return found


def recolored(spec: ModelInput, given: Sequence[str]) -> list[ModelInput]:
    """`spec`, and a variant with red and blue swapped, unless the colour order is `given`."""
    if "color" in given:
        return [spec]
    changes: dict[str, Any] = {"color": "bgr" if spec.color == "rgb" else "rgb"}
    if "mean" not in given:
        changes |= {"mean": spec.mean[::-1], "std": spec.std[::-1]}
    return [spec, spec.model_copy(update=changes)]


def resized(spec: ModelInput, given: Sequence[str]) -> list[ModelInput]:
    """`spec`, and variants that stretch pictures or keep their ratio, unless that is `given`."""
    if "resize" in given:
        return [spec]
    other = "letterbox" if spec.resize == "stretch" else "stretch"
    return [spec, spec.model_copy(update={"resize": other})]


def scale_name(spec: ModelInput) -> str:
    """A description of the pixel scaling."""
    if spec.dtype == "uint8":
        return "as they are"
    for name, scale in SCALES.items():
        if _same_scaling(spec, spec.model_copy(update=_in_order_of(spec, scale))):
            return name
    return f"(pixel × {spec.scale:.3g} − {spec.mean}) / {spec.std}"


def _in_order_of(spec: ModelInput, scale: Mapping[str, Any]) -> dict[str, Any]:
    """The scaling in the colour order of `spec`; ours are written for RGB."""
    step = 1 if spec.color == "rgb" else -1
    return {**scale, "mean": scale["mean"][::step], "std": scale["std"][::step]}


def _same_scaling(one: ModelInput, other: ModelInput) -> bool:
    """Whether both give nearly the same pixel values, however they are written."""

    def ends(spec: ModelInput) -> np.ndarray:
        pixels = np.array([[0.0], [255.0]])
        return (pixels * spec.scale - np.array(spec.mean)) / np.array(spec.std)

    return bool(np.allclose(ends(one), ends(other), rtol=0.03, atol=0.03))
