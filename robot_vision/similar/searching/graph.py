"""Approximate search in an index too large for the exact one: Voyager's HNSW graph, an extra.

HNSW: Malkov and Yashunin, arXiv:1603.09320. The graph lies beside the vectors and is loaded whole.
"""

from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from jaxtyping import Float32, Int64

from robot_vision.core.errors import MissingDependencyError
from robot_vision.similar.store import Index, SimilarError

EXACT_ROWS = 200_000
_FILE = "graph.voyager"
_BLOCK = 16_384
# Neighbours per row, and candidates examined while building and querying.
_NEIGHBOURS, _CANDIDATES_BUILT, _CANDIDATES_ASKED = 16, 200, 128


def graph_file(index: Index) -> Path:
    return index.folder / _FILE


def build_graph(index: Index, *, threads: int = 1) -> int:
    """Add the missing rows to the graph; returns how many.

    Raises `MissingDependencyError` if voyager is not installed.
    """
    voyager, file = _library(), graph_file(index)
    graph = _open(index) if file.is_file() else None
    if graph is None or len(graph) > len(index):  # the end of the index was truncated since
        graph = voyager.Index(
            voyager.Space.InnerProduct,
            num_dimensions=index.model.dimensions,
            M=_NEIGHBOURS,
            ef_construction=_CANDIDATES_BUILT,
        )
    first, vectors = len(graph), index.vectors
    for begins in range(first, len(index), _BLOCK):
        block = np.array(vectors[begins : begins + _BLOCK])
        numbers = list(range(begins, begins + len(block)))
        graph.add_items(block, numbers, num_threads=threads)
    if len(index) > first:
        partial = file.with_suffix(".partial")
        graph.save(str(partial))
        partial.replace(file)
    return len(index) - first


def nearest_by_graph(
    index: Index, queries: Float32[np.ndarray, "q d"], *, count: int
) -> tuple[Float32[np.ndarray, "q k"], Int64[np.ndarray, "q k"]]:
    """As `search.nearest`, but approximate: recall is in docs/similar.md.

    Raises `SimilarError` if the graph lacks rows of the index.
    """
    graph = _kept(index)
    if len(graph) != len(index):
        raise SimilarError(
            f"{graph_file(index)} knows {len(graph)} of {len(index)} rows: run `similar index` "
            "again to add the rest"
        )
    count = min(count, len(index))
    found, _ = graph.query(queries, k=count, num_threads=1, query_ef=max(count, _CANDIDATES_ASKED))
    rows = np.asarray(found).astype(np.int64)
    # The graph returns its own distances, so cosines are computed from the vectors.
    cosine = np.einsum("qkd,qd->qk", np.asarray(index.vectors[rows]), queries)
    order = np.argsort(-cosine, axis=1, kind="stable")
    return np.take_along_axis(cosine, order, axis=1), np.take_along_axis(rows, order, axis=1)


# Graphs of open indices, and when they were written: loaded once for many queries.
_READ: WeakKeyDictionary[Index, tuple[int, Any]] = WeakKeyDictionary()


def _kept(index: Index) -> Any:
    """The graph as it was last written."""
    written_ns = graph_file(index).stat().st_mtime_ns
    known = _READ.get(index)
    if known is None or known[0] != written_ns:
        known = _READ[index] = written_ns, _open(index)
    return known[1]


def _open(index: Index) -> Any:
    library, file = _library(), graph_file(index)
    try:
        return library.Index.load(str(file))
    except (RuntimeError, ValueError) as error:
        raise SimilarError(
            f"{file} is damaged: {error}; delete it, and `similar index` rebuilds it"
        ) from error


def _library() -> Any:
    try:
        import voyager
    except ImportError as error:
        raise MissingDependencyError(
            "a graph for large indices needs voyager: pip install 'robot_vision[similar]'. "
            "Without it every search is exact, and its time grows in proportion to the rows"
        ) from error
    return voyager
