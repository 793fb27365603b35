"""Queries to an index: the rows most like a picture, by the search that suits its size."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from robot_vision.similar.searching.graph import EXACT_ROWS, graph_file, nearest_by_graph
from robot_vision.similar.searching.search import nearest
from robot_vision.similar.store import Index, SimilarError


@dataclass(frozen=True, kw_only=True)
class Neighbour:
    """A row of the index and its similarity: the cosine."""

    row: int
    similarity: float
    source: str
    name: str
    stamp_ns: int


def neighbours(index: Index, query: Float32[np.ndarray, " d"], *, count: int) -> list[Neighbour]:
    """The most similar first: exact up to `EXACT_ROWS` rows, or if there is no graph.

    Raises `SimilarError` if the index is empty, `MissingDependencyError` if there is a graph but
    voyager is not installed.
    """
    if not len(index):
        raise SimilarError(
            f"the index {index.folder} has no picture yet: add some with `robot-vision similar "
            "index`"
        )
    if len(index) > EXACT_ROWS and graph_file(index).is_file():
        cosine, rows = nearest_by_graph(index, query[None], count=count)
    else:
        cosine, rows = nearest(index.vectors, query[None], count=count)
    return [
        neighbour(index, int(row), float(similarity))
        for row, similarity in zip(rows[0], cosine[0], strict=True)
    ]


def neighbour(index: Index, row: int, similarity: float) -> Neighbour:
    known = index.rows[row]
    return Neighbour(
        row=row,
        similarity=similarity,
        source=index.sources[int(known["source"])].path,
        name=index.name(row),
        stamp_ns=int(known["stamp_ns"]),
    )
