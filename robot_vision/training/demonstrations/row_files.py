"""Arrays on disk, filled a few rows at a time, with space for all of them from the start."""

from pathlib import Path

import numpy as np
from jaxtyping import Shaped


def put_rows(
    path: Path, shape: tuple[int, ...], first: int, values: Shaped[np.ndarray, "r ..."]
) -> None:
    """Write `values` to the rows from `first` on of an array of `shape` in a `.npy` file.

    The first call creates the file, filled with zeros. Raises `OSError` without room.
    """
    if not path.exists():
        room = path.with_suffix(".partial")
        _reserve(room, shape, values.dtype)
        room.replace(path)
    file = np.lib.format.open_memmap(path, "r+")
    file[first : first + len(values)] = values
    file.flush()


def _reserve(path: Path, shape: tuple[int, ...], dtype: np.dtype) -> None:
    """Writes real zeros: a mapped page without room kills a process without a message."""
    with path.open("wb") as file:
        header = {"descr": dtype.str, "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        row = bytes(dtype.itemsize * int(np.prod(shape[1:])))
        for _ in range(shape[0]):
            file.write(row)
