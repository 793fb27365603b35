"""Accuracy against latency as an SVG: a panel per prediction, to choose a model.

Drawn by our own code, so that labels never overlap and one file suits light and dark themes.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import product
from typing import NamedTuple

import numpy as np

from robot_vision.model_store.measured import GardenRow

_COLUMNS = 2
_PANEL_WIDTH, _PANEL_HEIGHT, _GAP, _FOOT = 520, 350, 24, 54
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 18, 50, 46  # margins of the axes in a panel
_LETTER_PX, _LINE_PX = 6.6, 14
_DIGITS, _MORE_DIGITS = (1, 2, 5), (1, 1.5, 2, 3, 4, 5, 7)  # spacing of ticks
_LEGEND_PARAMETERS = (1e6, 10e6, 30e6)
_STYLE = """
  svg { --paper: #ffffff; --ink: #1b2733; --pale: #66727e; --grid: #e4e9ee; --best: #0072b2;
        --other: #9aa5b0; --trivial: #d55e00 }
  @media (prefers-color-scheme: dark) { svg { --paper: #0d1117; --ink: #e6edf3; --pale: #9aa7b4;
        --grid: #262d36; --best: #56b4e9; --other: #6b7681; --trivial: #e69f00 } }
  text { font: 12px system-ui, sans-serif; fill: var(--ink) }
  .title { font-size: 15px; font-weight: 600 } .pale { fill: var(--pale); font-size: 11px }
  .middle { text-anchor: middle } .end { text-anchor: end }
  .paper { fill: var(--paper) } .grid { stroke: var(--grid) } .axis { stroke: var(--pale) }
  .best { fill: var(--best); stroke: var(--best); fill-opacity: .55 }
  .other { fill: var(--other); stroke: var(--other); fill-opacity: .35 }
  .front { fill: none; stroke: var(--best); stroke-opacity: .6; stroke-width: 1.5 }
  .trivial { stroke: var(--trivial); stroke-dasharray: 6 4; stroke-width: 1.5 }
  text.trivial { fill: var(--trivial); stroke: none; font-size: 11px }
  .leader { stroke: var(--pale); stroke-opacity: .6 }
"""


class _Box(NamedTuple):
    """Corners in pixels."""

    x0: float
    y0: float
    x1: float
    y1: float

    def hits(self, other: "_Box") -> bool:
        return (
            self.x0 < other.x1 and other.x0 < self.x1 and self.y0 < other.y1 and other.y0 < self.y1
        )


def as_svg(groups: Mapping[str, Sequence[GardenRow]]) -> str:
    """The picture; rows without a figure, and groups without rows, are left out."""
    shown = {
        asked: [row for row in group if np.isfinite(row.value)] for asked, group in groups.items()
    }
    shown = {asked: group for asked, group in shown.items() if group}
    columns = max(1, min(_COLUMNS, len(shown)))
    lines = -(-len(shown) // columns)
    width = columns * (_PANEL_WIDTH + _GAP) + _GAP
    height = lines * (_PANEL_HEIGHT + _GAP) + _GAP + _FOOT
    parts = [f'<rect class="paper" width="{width}" height="{height}"/>']
    for number, (asked, group) in enumerate(shown.items()):
        row, column = divmod(number, columns)
        x, y = _GAP + column * (_PANEL_WIDTH + _GAP), _GAP + row * (_PANEL_HEIGHT + _GAP)
        parts.append(f'<g transform="translate({x} {y})">')
        parts += _Panel(asked, group).drawn()
        parts.append("</g>")
    parts += _legend(height - _FOOT, width)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"'
    sized = f'{head} width="{width}" height="{height}"><style>{_STYLE}</style>'
    return "\n".join([sized, *parts, "</svg>"]) + "\n"


def _legend(y: float, width: float) -> Iterable[str]:
    x = _GAP + _LEFT
    for parameters in _LEGEND_PARAMETERS:
        radius = _radius(parameters)
        yield f'<circle class="best" cx="{x:.1f}" cy="{y + 20}" r="{radius:.1f}"/>'
        yield _text(x + radius + 5, y + 24, f"{parameters / 1e6:.0f} M parameters")
        x += 2 * radius + 124
    words = "Blue: no faster model is better. Bars: 95 % intervals. Dashed: best trivial baseline."
    fits = width - x > len(words) * _LETTER_PX
    yield _text(x, y + 24, words) if fits else _text(_GAP + _LEFT - 8, y + 46, words)


def _text(x: float, y: float, words: str, kind: str = "") -> str:
    named = f' class="{kind}"' if kind else ""
    return f'<text{named} x="{x:.1f}" y="{y:.1f}">{escape(words)}</text>'


def _line(kind: str, x0: float, y0: float, x1: float, y1: float) -> str:
    return f'<line class="{kind}" x1="{x0:.1f}" y1="{y0:.1f}" x2="{x1:.1f}" y2="{y1:.1f}"/>'


def _radius(parameters: float) -> float:
    """Radius in pixels; the area grows with the parameters, with a visible minimum."""
    return float(3.0 + 1.9 * np.sqrt(parameters / 1e6))


@dataclass
class _Panel:
    """Points of one prediction; `taken` are occupied areas."""

    asked: str
    rows: Sequence[GardenRow]
    taken: list[_Box] = field(default_factory=list)

    def __post_init__(self) -> None:
        trivial = [row.trivial for row in self.rows if np.isfinite(row.trivial)]
        self.trivial = max(trivial) if trivial else float("nan")
        reached = [row.value for row in self.rows] + [self.trivial]
        reached += [bound for row in self.rows for bound in (row.low, row.high)]
        self.low, self.high, self.step = _range([v for v in reached if np.isfinite(v)])
        times_ms = np.array([row.onnx_p50_ms for row in self.rows])
        # Room for labels beside the outermost points, at least two fifths of a decade.
        middle = float(np.log10([times_ms.min(), times_ms.max()]).mean())
        half = max(float(np.log10(times_ms.max() / times_ms.min())) / 2, 0.2)
        self.log_low, self.log_high = middle - half * 1.35, middle + half * 1.35

    def x(self, milliseconds: float) -> float:
        share = (np.log10(milliseconds) - self.log_low) / (self.log_high - self.log_low)
        return float(_LEFT + share * (_PANEL_WIDTH - _LEFT - _RIGHT))

    def y(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return float(_PANEL_HEIGHT - _BOTTOM - share * (_PANEL_HEIGHT - _TOP - _BOTTOM))

    def drawn(self) -> Iterable[str]:
        yield _text(0, 14, self.asked, "title")
        yield _text(0, 30, f"{self.rows[0].metric}, higher is better", "pale")
        yield from self._axes()
        yield from self._trivial()
        best = self._front()
        yield from self._steps(best)
        for row in self.rows:
            yield from self._point(row, "best" if row in best else "other")
        for row in sorted(self.rows, key=lambda row: -row.value):
            yield from self._name(row)

    def _axes(self) -> Iterable[str]:
        bottom, right = _PANEL_HEIGHT - _BOTTOM, _PANEL_WIDTH - _RIGHT
        for value in np.arange(self.low, self.high + self.step / 2, self.step):
            yield _line("grid", _LEFT, self.y(value), right, self.y(value))
            yield _text(_LEFT - 8, self.y(value) + 4, f"{value:.2f}", "pale end")
        for milliseconds in _ticks_ms(self.log_low, self.log_high):
            x = self.x(milliseconds)
            yield _line("grid", x, _TOP, x, bottom)
            yield _text(x, bottom + 17, f"{milliseconds:g}", "pale middle")
        yield _line("axis", _LEFT, bottom, right, bottom)
        middle = (_LEFT + right) / 2
        words = "milliseconds per picture, ONNX Runtime, median (logarithmic)"
        yield _text(middle, bottom + 35, words, "pale middle")

    def _trivial(self) -> Iterable[str]:
        if np.isfinite(self.trivial):
            y, right = self.y(self.trivial), _PANEL_WIDTH - _RIGHT
            words = f"trivial baseline {self.trivial:.3f}"
            yield _line("trivial", _LEFT, y, right, y)
            yield _text(right - 4, y - 5, words, "trivial end")
            length = len(words) * _LETTER_PX
            self.taken.append(_Box(right - length, y - _LINE_PX - 3, right, y + 2))

    def _front(self) -> list[GardenRow]:
        """The Pareto front: rows that no other is better than and as fast, fastest first."""
        found: list[GardenRow] = []
        for row in sorted(self.rows, key=lambda row: (row.onnx_p50_ms, -row.value)):
            if not found or row.value > found[-1].value:
                found.append(row)
        return found

    def _steps(self, front: list[GardenRow]) -> Iterable[str]:
        """The best accuracy for each latency, as a step function."""
        places = [(self.x(row.onnx_p50_ms), self.y(row.value)) for row in front]
        path = f"M{places[0][0]:.1f} {places[0][1]:.1f}"
        ends = [*places[1:], (float(_PANEL_WIDTH - _RIGHT), places[-1][1])]
        for (x, y), (next_x, next_y) in zip(places, ends, strict=True):
            path += f"H{next_x:.1f}V{next_y:.1f}"
            self.taken.append(_Box(x, y - 1, next_x, y + 1))
            self.taken.append(_Box(next_x - 1, next_y, next_x + 1, y))
        yield f'<path class="front" d="{path}"/>'

    def _point(self, row: GardenRow, kind: str) -> Iterable[str]:
        x, y, radius = self.x(row.onnx_p50_ms), self.y(row.value), _radius(row.parameters)
        self.taken.append(_Box(x - radius, y - radius, x + radius, y + radius))
        if np.isfinite(row.low):
            high, low = self.y(row.high), self.y(row.low)
            for ends in ((x, high, x, low), (x - 4, high, x + 4, high), (x - 4, low, x + 4, low)):
                yield _line(kind, *ends)
            self.taken.append(_Box(x - 5, high, x + 5, low))
        words = f"{row.name}: {row.value:.3f}, {row.onnx_p50_ms:.1f} ms"
        circle = f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}">'
        yield f"{circle}<title>{escape(words)}</title></circle>"

    def _name(self, row: GardenRow) -> Iterable[str]:
        """Place a name where it covers nothing, as near to its point as possible."""
        x, y, radius = self.x(row.onnx_p50_ms), self.y(row.value), _radius(row.parameters)
        width = len(row.name) * _LETTER_PX
        inside = _Box(_LEFT, _TOP, _PANEL_WIDTH, _PANEL_HEIGHT - _BOTTOM)
        for away in range(4, 120, 6):
            for across, down in _DIRECTIONS:
                left = x + across * (radius + away) - width * (1 - across) / 2
                top = y + down * (radius + away) - _LINE_PX * (1 - down) / 2
                box = _Box(left, top, left + width, top + _LINE_PX)
                is_inside = inside.x0 <= box.x0 and box.x1 <= inside.x1
                is_inside &= inside.y0 <= box.y0 and box.y1 <= inside.y1
                if is_inside and not any(box.hits(other) for other in self.taken):
                    self.taken.append(box)
                    if away > 10:
                        nearest = np.clip(x, box.x0, box.x1), np.clip(y, box.y0, box.y1)
                        yield _line("leader", x, y, *map(float, nearest))
                    yield _text(box.x0, box.y1 - 3, row.name)
                    return
        yield _text(x, y - radius - 4, row.name, "middle")


# Right, left, above, below, and between them: candidate positions of names, in order.
_DIRECTIONS = (
    (1, 0), (-1, 0), (0, -1), (0, 1), (0.8, -0.8), (0.8, 0.8), (-0.8, -0.8), (-0.8, 0.8),
)  # fmt: skip


def _range(values: Sequence[float]) -> tuple[float, float, float]:
    """From, to and step of an axis that shows all values at round numbers."""
    low, high = min(values), max(values)
    room = max(high - low, 0.02)
    step = next(s for s in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, np.inf) if room / s <= 6)
    step = step if np.isfinite(step) else 10.0 ** np.ceil(np.log10(room))
    first = np.floor((low - 0.02 * room) / step) * step
    last = np.ceil((high + 0.04 * room) / step) * step
    # The axis of values within 0 to 1 stays within 0 to 1.
    first = first if low < 0 else max(first, 0.0)
    last = last if high > 1 else min(last, 1.0)
    return float(first), float(last), float(step)


def _ticks_ms(log_low: float, log_high: float) -> list[float]:
    """Round numbers of milliseconds between two powers of ten."""
    digits = _MORE_DIGITS if log_high - log_low < 1 else _DIGITS
    powers = range(int(np.floor(log_low)), int(np.ceil(log_high)))
    found = [digit * 10.0**power for power, digit in product(powers, digits)]
    return [value for value in found if log_low <= np.log10(value) <= log_high]
