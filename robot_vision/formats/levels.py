"""One output per level, the grid of a stride, found by the shape of a tensor."""

from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
from jaxtyping import Float32, Shaped

from robot_vision.core.errors import BundleError
from robot_vision.core.manifests.manifest import ModelManifest
from robot_vision.formats.format import Outputs

STRIDES_PX = (8, 16, 32)


def cells_of(manifest: ModelManifest, strides_px: Sequence[int]) -> Float32[np.ndarray, "n 3"]:
    """Column, row and stride in pixels of every cell, level after level, row by row."""
    return grid_cells(manifest.input.width_px, manifest.input.height_px, tuple(strides_px))


def rows_of_level(output: Shaped[np.ndarray, "..."]) -> Shaped[np.ndarray, "n k"]:
    """A level's output [1, N, K] or [1, K, h, w] as a row for each cell."""
    return output[0] if output.ndim == 3 else output[0].reshape(output.shape[1], -1).T


def all_levels(
    outputs: Outputs, role: str, strides_px: Sequence[int]
) -> Shaped[np.ndarray, "n k"]:
    """The rows of `role` of all levels, under one another."""
    return np.concatenate([rows_of_level(outputs[f"{role}_{s}"]) for s in strides_px])


def levels_by_shape(
    tensors: Outputs, manifest: ModelManifest, columns: Mapping[str, Sequence[int]]
) -> dict[str, str]:
    """Tensor names by `<role>_<stride>`; `columns` has the numbers of values that a role may have.

    Raises `BundleError` with the expected shapes where no tensor fits, or several do.
    """
    found: dict[str, str] = {}
    for stride_px in STRIDES_PX:
        for role, counts in columns.items():
            fits = [
                name for name, t in tensors.items() if _is_level(t, manifest, stride_px, counts)
            ]
            if len(fits) != 1:
                raise _unclear(tensors, manifest, f"{role}_{stride_px}", counts, stride_px)
            found[f"{role}_{stride_px}"] = fits[0]
    return found


def check_levels(
    outputs: Outputs, manifest: ModelManifest, columns: Mapping[str, Sequence[int]]
) -> None:
    """Raise `BundleError` unless the outputs of these roles have a row for each cell."""
    for stride_px in STRIDES_PX:
        for role, counts in columns.items():
            name = f"{role}_{stride_px}"
            if not _is_level(outputs[name], manifest, stride_px, counts):
                raise _unclear({name: outputs[name]}, manifest, name, counts, stride_px)


def _is_level(
    tensor: np.ndarray, manifest: ModelManifest, stride_px: int, counts: Sequence[int]
) -> bool:
    lines, columns = _grid(manifest.input.width_px, manifest.input.height_px, stride_px)
    if tensor.ndim == 3:
        return tensor.shape[:2] == (1, lines * columns) and tensor.shape[2] in counts
    is_map = tensor.ndim == 4 and tensor.shape[0] == 1 and tensor.shape[1] in counts
    return is_map and tensor.shape[2:] == (lines, columns)


def _unclear(
    tensors: Outputs, manifest: ModelManifest, role: str, counts: Sequence[int], stride_px: int
) -> BundleError:
    lines, columns = _grid(manifest.input.width_px, manifest.input.height_px, stride_px)
    values = str(counts[0]) if len(counts) == 1 else f"one of {', '.join(map(str, counts))}"
    found = ", ".join(f"{name} {list(tensor.shape)}" for name, tensor in tensors.items())
    return BundleError(
        f"bundle {manifest.name!r}: format {manifest.format!r} with {len(manifest.classes)} "
        f"classes and an input of {manifest.input.width_px}×{manifest.input.height_px} px expects "
        f"one output {role!r} of [1, {lines * columns}, K] or [1, K, {lines}, {columns}], K "
        f"{values}; the model has: {found}. Name them in the manifest's outputs where two fit"
    )


@lru_cache(maxsize=16)
def grid_cells(
    width_px: int, height_px: int, strides_px: tuple[int, ...] = STRIDES_PX
) -> Float32[np.ndarray, "n 3"]:
    """Cells as `cells_of` has them, over an input of this size."""
    levels = []
    for stride_px in strides_px:
        lines, columns = _grid(width_px, height_px, stride_px)
        line, column = np.divmod(np.arange(lines * columns), columns)
        levels.append(np.stack([column, line, np.full(len(line), stride_px)], axis=1))
    return np.concatenate(levels).astype(np.float32)


def _grid(width_px: int, height_px: int, stride_px: int) -> tuple[int, int]:
    """Rows and columns of a level: convolutions of stride 2 round up."""
    return -(-height_px // stride_px), -(-width_px // stride_px)
