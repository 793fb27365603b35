"""Accuracy over the share of labels used for training, for several recipes.

`python tools/label_efficiency.py scratch=RECIPE.yaml native-s=RECIPE.yaml --out FOLDER` trains
each recipe with 1, 10 and 100 % of the labels (the same pictures for each, balanced over classes)
and three seeds, and evaluates all on the whole held-out set. It writes `label_efficiency.csv` and
`.svg` after each run, and resumes after an interruption.
"""

import argparse
import csv
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

import yaml

from robot_vision.export.parity import torch_predictor
from robot_vision.export.run_folder import open_run
from robot_vision.machine import describe_machine
from robot_vision.terminal import say
from robot_vision.training.engine.loop import train
from robot_vision.training.engine.recipes.recipe import Recipe
from robot_vision.training.engine.recipes.recipe_file import load_recipe
from robot_vision.training.engine.report import ConsoleReporter
from robot_vision.training.engine.run import WEIGHTS
from robot_vision.viz.palette import color_of

WIDTH_PX, HEIGHT_PX, MARGIN_PX = 640, 400, 56
COLUMNS = ("name", "share", "seed", "figure", "value")


@dataclass(frozen=True, kw_only=True)
class Point:
    """The result of one run: `figure` is the metric by which its task selects weights."""

    name: str
    share: float
    seed: int
    figure: str
    value: float


def main() -> None:
    arguments = _arguments()
    out: Path = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    points = list[Point]()
    for point in _runs(arguments):
        points.append(point)
        _write(out / "label_efficiency.csv", points)
        (out / "label_efficiency.svg").write_text(draw(points))
        say(f"{point.name} {point.share:.0%} seed {point.seed}: {point.figure} {point.value}")
    say(f"{out}/label_efficiency.csv, {out}/label_efficiency.svg; {describe_machine()}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recipes", nargs="+", metavar="NAME=RECIPE.yaml")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--shares", type=float, nargs="+", default=[0.01, 0.1, 1.0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--out", type=Path, required=True)
    return parser.parse_args()


def _runs(arguments: argparse.Namespace) -> Iterator[Point]:
    overrides = {n: yaml.safe_load(v) for n, _, v in (s.partition("=") for s in arguments.set)}
    for named in arguments.recipes:
        name, _, file = named.partition("=")
        for share in arguments.shares:
            for seed in arguments.seeds:
                asked = overrides | {"options.label_share": share, "run.seed": seed}
                folder = arguments.out / f"{name}-{share:g}-{seed}"
                yield _run(name, load_recipe(Path(file), asked), folder, share, seed)


def _run(name: str, recipe: Recipe, folder: Path, share: float, seed: int) -> Point:
    with ConsoleReporter() as reporter:
        train(recipe, folder, reporter=reporter)
    trained = open_run(folder, weights=WEIGHTS)
    predictors = {graph.file: torch_predictor(graph) for graph in trained.graphs}
    figures = trained.held_out.metrics(predictors)
    value = float(figures[trained.metric])
    return Point(name=name, share=share, seed=seed, figure=trained.metric, value=value)


def _write(file: Path, points: Sequence[Point]) -> None:
    with file.open("w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(COLUMNS)
        rows.writerows([getattr(point, column) for column in COLUMNS] for point in points)


def draw(points: Sequence[Point]) -> str:
    """A dot per run and a line through the means, over the share's logarithm, as SVG."""
    shares = sorted({point.share for point in points})
    parts = [f'<rect width="{WIDTH_PX}" height="{HEIGHT_PX}" fill="white"/>', *_axes(shares)]
    parts.append(_text(MARGIN_PX, 24, points[0].figure))
    for number, name in enumerate(dict.fromkeys(point.name for point in points)):
        own = [point for point in points if point.name == name]
        color = "rgb({}, {}, {})".format(*color_of(number + 4))
        dots = [_place(shares, point.share, point.value) for point in own]
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{color}"/>' for x, y in dots]
        ends = [(s, [p.value for p in own if p.share == s]) for s in shares]
        line = [_place(shares, share, mean(values)) for share, values in ends if values]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in line)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="2"/>')
        parts.append(_text(WIDTH_PX - 150, HEIGHT_PX - 80 - 18 * number, name, fill=color))
    body = "\n".join(parts)
    size = f'width="{WIDTH_PX}" height="{HEIGHT_PX}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>\n{body}\n</svg>\n'


def _place(shares: Sequence[float], share: float, value: float) -> tuple[float, float]:
    """Position of a value from 0 to 1 at a share."""
    low, high = math.log10(shares[0]), math.log10(shares[-1])
    across = (math.log10(share) - low) / (high - low or 1.0)
    x = MARGIN_PX + across * (WIDTH_PX - 2 * MARGIN_PX)
    return x, HEIGHT_PX - MARGIN_PX - value * (HEIGHT_PX - 2 * MARGIN_PX)


def _axes(shares: Sequence[float]) -> Iterator[str]:
    for share in shares:
        x, y = _place(shares, share, 0)
        yield _text(x, y + 18, f"{100 * share:g} % of the labels", anchor="middle")
    for tick in range(0, 11, 2):
        x, y = _place(shares, shares[0], tick / 10)
        yield f'<path d="M{x:.1f} {y:.1f}H{WIDTH_PX - MARGIN_PX}" stroke="#ddd"/>'
        yield _text(x - 8, y + 4, f"{tick / 10:.1f}", anchor="end")


def _text(x: float, y: float, text: str, *, anchor: str = "start", fill: str = "#333") -> str:
    style = f'font-family="sans-serif" font-size="12" text-anchor="{anchor}" fill="{fill}"'
    return f'<text x="{x:.1f}" y="{y:.1f}" {style}>{text}</text>'


if __name__ == "__main__":
    main()
