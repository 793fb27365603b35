"""Arrays on disk, filled a few rows at a time, with room for all of them from the start."""

from pathlib import Path

import numpy as np


def put_rows(path: Path, shape: tuple[int, ...], first: int, values: np.ndarray) -> None:
    """Put `values` into the rows from `first` on of an array of `shape` in a `.npy` file.

    The file is made, full of zeros, with the first values. Raises `OSError` without room.
    """
    if not path.exists():
        room = path.with_suffix(".partial")
        _reserve(room, shape, values.dtype)
        room.replace(path)
    file = np.lib.format.open_memmap(path, "r+")
    file[first : first + len(values)] = values
    file.flush()


def _reserve(path: Path, shape: tuple[int, ...], dtype: np.dtype) -> None:
    """Zeros that are written: a page without room ends a process without a word."""
    with path.open("wb") as file:
        header = {"descr": dtype.str, "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        row = bytes(dtype.itemsize * int(np.prod(shape[1:])))
        for _ in range(shape[0]):
            file.write(row)
