"""Exact search against a Voyager graph, on synthetic unit vectors: time, recall, bytes.

python tools/time_similar_search.py --rows 20000 100000
"""

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np

from robot_vision.machine import describe_machine
from robot_vision.similar.searching.graph import build_graph, graph_file, nearest_by_graph
from robot_vision.similar.searching.search import nearest
from robot_vision.similar.store import Entry, IndexedModel, create_index

DIMENSIONS, COUNT, QUERIES, PER_PLACE = 64, 10, 100, 40
SPREAD = 0.5  # spread of views of a place, relative to the distance between places


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def views(rng: np.random.Generator, rows: int) -> np.ndarray:
    """Places, each seen from `PER_PLACE` sides."""
    places = rng.normal(size=(rows // PER_PLACE + 1, DIMENSIONS)).repeat(PER_PLACE, axis=0)[:rows]
    return unit(places + SPREAD * rng.normal(size=places.shape))


def timed(rows: int, folder: Path) -> str:
    rng = np.random.default_rng(0)
    vectors = views(rng, rows)
    queries = unit(vectors[rng.integers(0, rows, QUERIES)] + 0.05 * rng.normal(size=(1, 64)))
    model = IndexedModel(
        bundle="", model_id="made-up@1", sha256="", dimensions=DIMENSIONS, channels=1
    )
    index = create_index(folder, model)
    for begins in range(0, rows, 10_000):
        part = vectors[begins : begins + 10_000]
        index.append(
            [
                Entry(source=0, stamp_ns=0, name="", vector=v, mean_length=1, thumbnail=b"")
                for v in part
            ]
        )
    started_s = perf_counter()
    exact = [nearest(index.vectors, query[None], count=COUNT)[1][0] for query in queries]
    exact_ms = (perf_counter() - started_s) / QUERIES * 1e3
    started_s = perf_counter()
    build_graph(index)
    build_s = perf_counter() - started_s
    started_s = perf_counter()
    found = nearest_by_graph(index, queries, count=COUNT)[1]
    graph_ms = (perf_counter() - started_s) / QUERIES * 1e3
    recall = np.mean([len(set(a) & set(b)) / COUNT for a, b in zip(exact, found, strict=True)])
    size_mb = graph_file(index).stat().st_size / 1e6
    return (
        f"| {rows} | {exact_ms:.2f} | {graph_ms:.3f} | {recall:.3f} | {build_s:.1f} "
        f"| {size_mb:.0f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[20_000, 100_000])
    given = parser.parse_args()
    print(describe_machine())
    print("| rows | exact, ms a query | graph, ms | recall at 10 | build, s | graph, MB |")
    print("|---|---|---|---|---|---|")
    for rows in given.rows:
        with TemporaryDirectory() as folder:
            print(timed(rows, Path(folder)), flush=True)


if __name__ == "__main__":
    main()
