"""Searches for INT8 quantisation schemes: first for speed, then for accuracy.

Speed depends on the runtime's kernels and on the nodes between the layers, accuracy on a few
layers with long tails: neither can be predicted. Speed depends only on which nodes are INT8, so
each such structure is timed once, and only fast ones are judged.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from robot_vision.bench.models.turns import take_turns_ms
from robot_vision.core.errors import ConfigError, RobotVisionError
from robot_vision.export.parity import onnx_predictor
from robot_vision.export.quantise import Scheme, TrainedRanges, to_int8
from robot_vision.models.weights import listed

Ranges = Literal["minmax", "percentile", "entropy", "trained"]
Rows = Sequence[Mapping[str, np.ndarray]]
# Histograms keep all activations of all rows in memory.
_HISTOGRAM_ROWS = 8
_TIMED_ROWS = 2  # for speed any ranges will do


@dataclass(frozen=True, kw_only=True)
class Space:
    """The search space. `excluded` are patterns of layers that stay in FP32, per try."""

    operators: Sequence[tuple[str, ...]]
    excluded: Sequence[tuple[str, ...]]
    per_channel: Sequence[bool]
    activations: Sequence[Literal["uint8", "int8"]]
    opsets: Sequence[int]
    ranges: Sequence[Ranges]

    def structures(self) -> list[Scheme]:
        """The parts of a scheme that determine speed; trained ranges may cover other layers."""
        calibrated = self.calibrated()
        trained: list[Ranges] = ["trained"] if "trained" in self.ranges else []
        return [
            Scheme(
                operators=operators,
                excluded=excluded,
                per_channel=per_channel,
                activations=activations,
                opset=opset,
                ranges=source,
            )
            for operators, excluded, per_channel, activations, opset, source in itertools.product(
                self.operators,
                self.excluded,
                self.per_channel,
                self.activations,
                self.opsets,
                trained + calibrated[:1],
            )
        ]

    def calibrated(self) -> list[Ranges]:
        return [ranges for ranges in self.ranges if ranges != "trained"]


@dataclass(frozen=True, kw_only=True)
class Tried:
    """A scheme: its speed relative to FP32, and the task's figure if it was judged."""

    scheme: Scheme
    gain: float = float("nan")
    figure: float = float("nan")
    failed: str = ""


@dataclass(frozen=True, kw_only=True, eq=False)
class Search:
    """A graph, real inputs of it, and the judge of a quantised file.

    A file is accepted if it is at least `least_gain` times as fast, with at least `least_figure`.
    """

    file: Path
    outputs: Mapping[str, str]
    rows: Rows
    trained: TrainedRanges
    judge: Callable[[Path], float]
    least_gain: float
    least_figure: float
    threads: int
    rounds: int
    say: Callable[[str], None]

    def run(self, space: Space, folder: Path) -> list[Tried]:
        """All schemes tried, the fastest first; files stay in `folder`."""
        timed = self._timed(space.structures(), folder)
        judged = []
        for tried in timed:
            if tried.failed or not tried.gain >= self.least_gain:
                judged.append(tried)
                continue
            is_trained = tried.scheme.ranges == "trained"
            sources: list[Ranges] = ["trained"] if is_trained else space.calibrated()
            judged += [self._judged(tried, ranges, folder) for ranges in sources]
        return judged

    def accepted(self, tried: Sequence[Tried]) -> Tried | None:
        """The fastest accepted one; of equally fast ones the most accurate."""
        good = [t for t in tried if t.figure >= self.least_figure]
        return max(good, key=lambda t: (t.gain, t.figure), default=None)

    def make(self, scheme: Scheme, target: Path) -> Path:
        """Quantise by all rows."""
        few = scheme.ranges in ("percentile", "entropy")
        rows = self.rows[:_HISTOGRAM_ROWS] if few else self.rows
        return to_int8(self.file, target, rows, scheme, self._trained(scheme))

    def _trained(self, scheme: Scheme) -> TrainedRanges:
        return self.trained if scheme.ranges == "trained" else {}

    def _timed(self, structures: Sequence[Scheme], folder: Path) -> list[Tried]:
        made: list[tuple[Scheme, Callable[[], object]]] = []
        failed: list[Tried] = []
        for row, scheme in enumerate(structures):
            self.say(f"trying {row + 1} of {len(structures)}: {words_of(scheme)}")
            target = folder / f"timed-{row}.onnx"
            try:
                by = replace(scheme, ranges="trained" if scheme.ranges == "trained" else "minmax")
                rows = self.rows[:_TIMED_ROWS]
                to_int8(self.file, target, rows, by, self._trained(scheme))
                made.append((scheme, self._run(target)))
            except (*_FAULTS, RobotVisionError) as error:
                failed.append(Tried(scheme=scheme, failed=str(error).splitlines()[0][:200]))
        runs = [self._run(self.file), *(run for _, run in made)]
        exact_ms, *times_ms = take_turns_ms(runs, rounds=self.rounds)
        timed = [
            Tried(scheme=scheme, gain=float(np.median(exact_ms) / np.median(ms)))
            for (scheme, _), ms in zip(made, times_ms, strict=True)
        ]
        return sorted(timed, key=lambda tried: -tried.gain) + failed

    def _judged(self, tried: Tried, ranges: Ranges, folder: Path) -> Tried:
        scheme = replace(tried.scheme, ranges=ranges)
        try:
            figure = self.judge(self.make(scheme, folder / "judged.onnx"))
        except (*_FAULTS, RobotVisionError) as error:
            return replace(tried, scheme=scheme, failed=str(error).splitlines()[0][:200])
        self.say(f"{tried.gain:.2f} times as fast, figure {figure:.4f}: {words_of(scheme)}")
        return replace(tried, scheme=scheme, figure=figure)

    def _run(self, file: Path) -> Callable[[], object]:
        predict = onnx_predictor(file, self.outputs, threads=self.threads)
        return lambda: predict(self.rows[0])


# Errors of the quantiser and the opset converter for graphs that they do not support.
_FAULTS = (
    RuntimeError,
    ValueError,
    IndexError,
    KeyError,
    AttributeError,
    NotImplementedError,
)


def check_space(space: Space, trained: TrainedRanges) -> None:
    if "trained" in space.ranges and not trained:
        raise ConfigError(
            "step int8: ranges are `trained`, but no step trained with simulated INT8; "
            "expected a step `tune` with eight_bits: true before it"
        )


def words_of(scheme: Scheme) -> str:
    operators = "+".join(scheme.operators) or "convolutions, else products"
    kept = f", FP32: {listed(scheme.excluded)}" if scheme.excluded else ""
    grain = "per channel" if scheme.per_channel else "per tensor"
    opset = f", opset {scheme.opset}" if scheme.opset else ""
    return f"{operators}, {grain}, {scheme.activations}, {scheme.ranges}{opset}{kept}"
