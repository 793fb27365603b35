"""Parquet columns as arrays: numbers with any number of axes, and texts."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Shaped

from robot_vision.datasets.errors import DatasetError

_MOST_AXES = 8


def array_of(column: pa.ChunkedArray, what: str) -> Shaped[np.ndarray, "rows ..."] | None:
    """[rows, …] of numbers, or [rows] of texts (as objects).

    None for anything else, such as structures, and lists of different lengths. Raises
    `DatasetError` that names `what` if some rows lack numbers.
    """
    try:
        return _array(column.combine_chunks(), what)
    except (pa.ArrowException, ValueError, TypeError, NotImplementedError) as error:
        raise DatasetError(f"{what} cannot be read: {error}") from error


def _array(values: pa.Array, what: str) -> np.ndarray | None:
    shape = [len(values)]
    values = _storage(values)
    while _is_list(values.type) and len(shape) <= _MOST_AXES:
        if values.null_count:
            raise DatasetError(f"{what} is missing in {values.null_count} places")
        lengths = pc.call_function("list_value_length", [values]).unique().to_pylist()
        if len(lengths) > 1:
            return None
        shape += lengths or [0]
        values = _storage(values.flatten())
    kind = values.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return np.array(values.to_pylist(), object).reshape(shape)
    if pa.types.is_boolean(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return values.to_numpy(zero_copy_only=False).reshape(shape)
    return None


def _storage(values: pa.Array) -> pa.Array:
    """The stored array: matrices have their own type if its library is installed."""
    return values.storage if isinstance(values, pa.ExtensionArray) else values


def _is_list(kind: pa.DataType) -> bool:
    return (
        pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    )
