"""Inputs for an ONNX file, from its declared inputs."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from robot_vision.core.errors import BundleError
from robot_vision.model_store.onnx_open import open_onnx

_TYPES = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(uint8)": np.uint8,
    "tensor(int32)": np.int32,
    "tensor(int64)": np.int64,
    "tensor(bool)": np.bool_,
}


def inputs_of(file: Path, *, size_px: tuple[int, int] | None = None) -> dict[str, np.ndarray]:
    """One sample: noise for pictures and floats, zeros for integers, true for masks.

    Free sides of pictures take `size_px` (width, height), other free axes are 1. Raises
    `BundleError` for an unsupported type, or a free side of a picture without a size.
    """
    draw = np.random.default_rng(0)
    return {
        str(tensor.name): _values(draw, str(tensor.type), _shape(tensor, file, size_px))
        for tensor in open_onnx(file).get_inputs()
    }


def free_batch(file: Path) -> bool:
    """Whether the first axis of every input is free."""
    shapes = [tensor.shape for tensor in open_onnx(file).get_inputs()]
    return all(shape and not isinstance(shape[0], int) for shape in shapes)


def _shape(tensor: Any, file: Path, size_px: tuple[int, int] | None) -> tuple[int, ...]:
    if str(tensor.type) not in _TYPES:
        raise BundleError(
            f"{file}: input {tensor.name!r} is {tensor.type}; expected {', '.join(_TYPES)}"
        )
    shape = list(tensor.shape)
    sides = picture_axes(shape)
    for axis, length in enumerate(shape):
        if isinstance(length, int):
            continue
        if axis in sides and size_px is None:
            raise BundleError(
                f"{file}: axis {axis} of input {tensor.name!r} takes any picture size: "
                "give one to profile, such as --size 640x480"
            )
        is_width = bool(sides) and axis == sides[1]
        shape[axis] = (size_px[0 if is_width else 1] if axis in sides else 1) if size_px else 1
    return tuple(shape)


def picture_axes(shape: Sequence[Any]) -> tuple[int, ...]:
    """Axes of height and width, if an input is a picture."""
    if len(shape) != 4:
        return ()
    if shape[1] in (1, 3, 4):
        return (2, 3)
    return (1, 2) if shape[3] in (1, 3, 4) else ()


def batch_of(inputs: Mapping[str, np.ndarray]) -> int:
    """The pictures at a time; 1 if there are none."""
    return max((len(x) for x in inputs.values() if picture_axes(x.shape)), default=1)


def _values(draw: np.random.Generator, kind: str, shape: tuple[int, ...]) -> np.ndarray:
    dtype = _TYPES[kind]
    if dtype is np.uint8:
        return draw.integers(0, 256, shape, np.uint8)
    if np.issubdtype(dtype, np.floating):
        return draw.random(shape, np.float32).astype(dtype)
    return np.ones(shape, dtype) if dtype is np.bool_ else np.zeros(shape, dtype)
