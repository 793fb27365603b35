"""Draws the import graph of the packages: `python tools/package_graph.py [--package …] [--out …]`.

Writes an SVG and prints a table: packages, their imports and the number of statements. Needs only
Python. Imported packages lie below their importers; if packages import each other, an arrow goes
up and is red. Transitive arrows are pale.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Mapping
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "test"))

from imports import knots, package_graph  # noqa: E402

Graph = Mapping[str, Counter[str]]
Place = tuple[float, float]  # the middle of a box

ROW_PX, COLUMN_PX, BOX_HEIGHT_PX, MARGIN_PX = 92, 138, 30, 24
BOX_WIDTH_PX = 112
STYLE = """
  text { font: 13px sans-serif; text-anchor: middle; dominant-baseline: central; fill: #1b2733 }
  rect { fill: #eef4fa; stroke: #5b7c99 }
  path { fill: none; stroke: #5b7c99; stroke-opacity: .75 }
  path.implied { stroke-opacity: .13 }
  path.knot { stroke: #c62828; stroke-opacity: 1; stroke-width: 2.5 }
"""


def main() -> None:
    """Read the sources, write the picture, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--package", type=Path, default=ROOT / "robot_vision")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "packages.svg")
    asked = parser.parse_args()
    graph = package_graph(asked.package.resolve())
    if not graph:
        parser.error(f"{asked.package} holds no package of Python")
    asked.out.write_text(picture(graph))
    print(table(graph))
    print(f"\n{asked.out}")


def table(graph: Graph) -> str:
    """A line per package, from the top down, and sums."""
    level = levels(graph)
    top_down = sorted(graph, key=lambda name: (-level[name], name))
    width = max(map(len, graph))
    lines = [
        f"{name:{width}}  "
        + (", ".join(f"{other} {n}" for other, n in sorted(graph[name].items())) or "—")
        for name in top_down
    ]
    arrows = sum(map(len, graph.values()))
    statements = sum(map(Counter.total, graph.values()))
    tangled = "; ".join(" ↔ ".join(knot) for knot in knots(graph)) or "none"
    lines.append(f"\n{len(graph)} packages, {arrows} arrows, {statements} import statements")
    lines.append(f"packages that import each other: {tangled}")
    return "\n".join(lines)


def levels(graph: Graph) -> dict[str, int]:
    """0 for packages without imports, else one more than the highest import outside its own
    cycle."""
    knot_of = {name: (name,) for name in graph}
    knot_of |= {name: tuple(knot) for knot in knots(graph) for name in knot}
    found: dict[tuple[str, ...], int] = {}

    def level(knot: tuple[str, ...]) -> int:
        if knot not in found:
            below = {knot_of[other] for name in knot for other in graph[name]} - {knot}
            found[knot] = 1 + max(map(level, below), default=-1)
        return found[knot]

    return {name: level(knot) for name, knot in knot_of.items()}


def picture(graph: Graph) -> str:
    """The SVG: a row per level, the highest on top."""
    places = _places(graph)
    width = max(x for x, _ in places.values()) + BOX_WIDTH_PX / 2 + MARGIN_PX
    height = max(y for _, y in places.values()) + BOX_HEIGHT_PX / 2 + MARGIN_PX
    knot_of = {name: k for k, knot in enumerate(knots(graph)) for name in knot}
    arrows = []
    for name, others in graph.items():
        for other, count in others.items():
            tangled = name in knot_of and knot_of[name] == knot_of.get(other)
            kind = "knot" if tangled else "implied" if _implied(graph, name, other) else "direct"
            arrows.append((kind, _arrow(places[name], places[other], kind, name, other, count)))
    arrows.sort(key=lambda pair: ("implied", "direct", "knot").index(pair[0]))
    boxes = [_box(name, place) for name, place in places.items()]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}">',
            '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" '
            'markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8" /></marker></defs>',
            f"<style>{STYLE}</style>",
            '<rect width="100%" height="100%" style="fill: #fff; stroke: none" />',
            *(arrow for _, arrow in arrows),
            *boxes,
            "</svg>\n",
        ]
    )


def _places(graph: Graph) -> dict[str, Place]:
    """Rows are filled from the bottom; each box lies near the mean position of its imports."""
    level = levels(graph)
    rows: dict[int, list[str]] = {}
    for name in sorted(graph):
        rows.setdefault(level[name], []).append(name)
    widest, top = max(map(len, rows.values())), max(rows)
    places: dict[str, Place] = {}
    for number in sorted(rows):
        names = sorted(rows[number], key=lambda name: _middle(graph[name], places))
        step = COLUMN_PX * (widest + 0.5) / len(names)
        y = MARGIN_PX + BOX_HEIGHT_PX / 2 + ROW_PX * (top - number)
        # Every other row is shifted slightly, so that boxes do not cover passing lines.
        shift = COLUMN_PX / 4 * (number % 2)
        for column, name in enumerate(names):
            places[name] = (MARGIN_PX + step * (column + 0.5) + shift, y)
    return places


def _middle(others: Counter[str], places: dict[str, Place]) -> float:
    known = [places[other][0] for other in others if other in places]
    return sum(known) / len(known) if known else 0.0


def _implied(graph: Graph, name: str, other: str) -> bool:
    """Whether `name` also reaches `other` through a third package."""
    seen, to_visit = {name}, [third for third in graph[name] if third != other]
    while to_visit:
        third = to_visit.pop()
        if third == other:
            return True
        if third not in seen:
            seen.add(third)
            to_visit += graph[third]
    return False


def _arrow(start: Place, end: Place, kind: str, name: str, other: str, count: int) -> str:
    down = start[1] < end[1]
    half = BOX_HEIGHT_PX / 2 if down else -BOX_HEIGHT_PX / 2
    (x0, y0), (x1, y1) = (start[0], start[1] + half), (end[0], end[1] - half)
    bend = (y1 - y0) / 2 if start[1] != end[1] else -ROW_PX / 2
    return (
        f'<path class="{kind}" marker-end="url(#tip)" '
        f'd="M{x0:.0f} {y0:.0f}C{x0:.0f} {y0 + bend:.0f} {x1:.0f} {y1 - bend:.0f} '
        f'{x1:.0f} {y1:.0f}"><title>{escape(name)} → {escape(other)}: {count}</title></path>'
    )


def _box(name: str, place: Place) -> str:
    x, y = place
    return (
        f'<rect x="{x - BOX_WIDTH_PX / 2:.0f}" y="{y - BOX_HEIGHT_PX / 2:.0f}" rx="6" '
        f'width="{BOX_WIDTH_PX}" height="{BOX_HEIGHT_PX}" />'
        f'<text x="{x:.0f}" y="{y:.0f}">{escape(name)}</text>'
    )


if __name__ == "__main__":
    main()
