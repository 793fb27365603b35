"""Approximate search in an index too large for the exact one: USearch's HNSW graph, an extra.

HNSW: Malkov and Yashunin, arXiv:1603.09320. The graph lies beside the vectors and is mapped.
"""

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, Int64

from robot_vision.core.errors import MissingDependencyError
from robot_vision.similar.store import Index

EXACT_ROWS = 200_000
_FILE = "graph.usearch"
_BLOCK = 16_384


def graph_file(index: Index) -> Path:
    return index.folder / _FILE


def build_graph(index: Index) -> int:
    """Put the rows that the graph lacks into it; returns how many.

    Raises `MissingDependencyError` where usearch is not installed.
    """
    graph, file = _new(index.model.dimensions), graph_file(index)
    if file.is_file():
        graph.load(str(file))
        if len(graph) > len(index):  # the end of the index was cut off since
            graph.reset()
    first, vectors = len(graph), index.vectors
    for begins in range(first, len(index), _BLOCK):
        block = np.array(vectors[begins : begins + _BLOCK])
        graph.add(np.arange(begins, begins + len(block), dtype=np.uint64), block)
    if len(index) > first:
        partial = file.with_suffix(".partial")
        graph.save(str(partial))
        partial.replace(file)
    return len(index) - first


def nearest_by_graph(
    index: Index, queries: Float32[np.ndarray, "q d"], *, count: int
) -> tuple[Float32[np.ndarray, "q k"], Int64[np.ndarray, "q k"]]:
    """As `search.nearest`, most of the time: recall is in docs/similar.md."""
    graph = _new(index.model.dimensions)
    graph.view(str(graph_file(index)))
    found = graph.search(queries, min(count, len(index)))
    shape = (len(queries), -1)
    rows = np.asarray(found.keys).astype(np.int64).reshape(shape)
    # The graph's distances are rounded: cosines are computed from the vectors.
    cosine = np.einsum("qkd,qd->qk", np.asarray(index.vectors[rows]), queries)
    order = np.argsort(-cosine, axis=1, kind="stable")
    return np.take_along_axis(cosine, order, axis=1), np.take_along_axis(rows, order, axis=1)


def has_graph_of_all(index: Index) -> bool:
    """Whether the graph is there, knows each row, and can be read here."""
    if not graph_file(index).is_file():
        return False
    try:
        graph = _new(index.model.dimensions)
    except MissingDependencyError:
        return False
    graph.view(str(graph_file(index)))
    return len(graph) == len(index)


def _new(dimensions: int) -> Any:
    try:
        from usearch.index import Index as Graph
    except ImportError as error:
        raise MissingDependencyError(
            "a graph for large indices needs usearch: pip install 'robot_vision[similar]'. "
            "Without it every search is exact, and takes time in proportion to the rows"
        ) from error
    return Graph(
        ndim=dimensions, metric="cos", dtype="f32", connectivity=16, expansion_add=128,
        expansion_search=128,
    )  # fmt: skip
