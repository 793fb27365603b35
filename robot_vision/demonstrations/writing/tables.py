"""Writes Parquet files: episodes, tasks, and the rows of an episode."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

_IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def row_schema(features: Mapping[str, Mapping[str, Any]]) -> pa.Schema:
    """Columns of `data/`: LeRobot's features as `datasets` represents them; videos have none.

    The metadata lets `datasets` recognise image columns without further options.
    """
    stored = {name: f for name, f in features.items() if f["dtype"] != "video"}
    described = {name: _described(feature) for name, feature in stored.items()}
    return pa.schema(
        [(name, _column_type(feature)) for name, feature in stored.items()],
        metadata={"huggingface": json.dumps({"info": {"features": described}})},
    )


def _described(feature: Mapping[str, Any]) -> dict[str, Any]:
    if feature["dtype"] == "image":
        return {"_type": "Image"}
    value = {"dtype": feature["dtype"], "_type": "Value"}
    if list(feature["shape"]) == [1]:
        return value
    return {"feature": value, "length": feature["shape"][0], "_type": "Sequence"}


def _column_type(feature: Mapping[str, Any]) -> pa.DataType:
    if feature["dtype"] == "image":
        return _IMAGE
    value = pa.from_numpy_dtype(np.dtype(feature["dtype"]))
    return value if list(feature["shape"]) == [1] else pa.list_(value, feature["shape"][0])


def write_table(table: pa.Table, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:  # Arrow takes no path that is not UTF-8
        pq.write_table(table, file, compression="snappy")


def tasks_table(tasks: Sequence[str]) -> pa.Table:
    """`meta/tasks.parquet`: LeRobot reads it with pandas, with the instructions as the index."""

    def column(name: str, pandas_type: str, numpy_type: str) -> dict[str, Any]:
        return {
            "name": name,
            "field_name": name,
            "pandas_type": pandas_type,
            "numpy_type": numpy_type,
            "metadata": None,
        }

    pandas = {
        "index_columns": ["task"],
        "column_indexes": [],
        "columns": [column("task_index", "int64", "int64"), column("task", "unicode", "object")],
        "creator": {"library": "pyarrow", "version": pa.__version__},
        "pandas_version": "2.0.0",
    }
    table = pa.table(
        {
            "task_index": pa.array(range(len(tasks)), pa.int64()),
            "task": pa.array(list(tasks), pa.string()),
        }
    )
    return table.replace_schema_metadata({"pandas": json.dumps(pandas)})


def episode_columns(stats: Mapping[str, Mapping[str, np.ndarray]]) -> dict[str, Any]:
    """Statistics as columns `stats/<feature>/<name>` of `meta/episodes`."""
    return {
        f"stats/{feature}/{name}": value.tolist()
        for feature, values in stats.items()
        for name, value in values.items()
    }


def stats_of(row: Mapping[str, Any]) -> dict[str, dict[str, np.ndarray]]:
    """The inverse of `episode_columns`."""
    stats: dict[str, dict[str, np.ndarray]] = {}
    for column, value in row.items():
        if column.startswith("stats/"):
            feature, _, name = column.removeprefix("stats/").rpartition("/")
            stats.setdefault(feature, {})[name] = np.array(value)
    return stats
