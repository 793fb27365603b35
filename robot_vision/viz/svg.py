"""Plots as inline SVG; colours are CSS variables, so that they follow light and dark themes."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, LEFT, RIGHT, TOP, BOTTOM = 900, 52, 12, 10, 34
ROW_HEIGHT = 18
COLORS = 8


@dataclass(frozen=True, kw_only=True)
class Series:
    """A named line; `y` has None where there is no value. `color` is 1 to 8."""

    name: str
    x: Sequence[float]
    y: Sequence[float | None]
    color: int


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A time span in its own row."""

    label: str
    start: float
    end: float
    color: int
    title: str


def line_chart(
    series: Sequence[Series], *, y_label: str, height: int = 200, y_max: float | None = None
) -> str:
    """Lines over seconds with a shared y axis from 0, with a legend if there are several."""
    values = [v for line in series for v in line.y if v is not None]
    x_end = max((line.x[-1] for line in series if line.x), default=0.0) or 1.0
    top = y_max or (max(values, default=0.0) * 1.05) or 1.0
    frame = _Frame(x_end=x_end, y_end=_ticks(top)[-1] if y_max is None else y_max, height=height)
    parts = [*_y_axis(frame, y_label), *_x_axis(frame)]
    for line in series:
        for points in _pieces(frame, line):
            # a single value between gaps is a zero-length line, which round caps make a dot
            path = points if " " in points else f"{points} {points}"
            parts.append(f'<polyline class="line c{line.color}" points="{path}"/>')
    figure = _svg(height, parts, title=y_label)
    return figure + (_legend([(s.name, s.color) for s in series]) if len(series) > 1 else "")


def gantt(bars: Sequence[Bar], *, x_end: float, marks: Sequence[tuple[float, str]] = ()) -> str:
    """A row per bar over seconds; marks are vertical lines with a tooltip."""
    height = TOP + BOTTOM + ROW_HEIGHT * max(len(bars), 1)
    frame = _Frame(x_end=x_end or 1.0, y_end=1.0, height=height, left=130)
    parts = _x_axis(frame)
    for row, bar in enumerate(bars):
        y = TOP + row * ROW_HEIGHT
        start, width = frame.x(bar.start), max(frame.x(bar.end) - frame.x(bar.start), 3)
        parts.append(
            f'<text class="tick" x="{frame.left - 8}" y="{y + 13}" text-anchor="end">'
            f"{escape(bar.label)}</text>"
            f'<rect class="bar c{bar.color}" x="{start:.1f}" y="{y + 3}" width="{width:.1f}" '
            f'height="{ROW_HEIGHT - 6}" rx="3"><title>{escape(bar.title)}</title></rect>'
        )
    for x, title in marks:
        parts.append(
            f'<line class="mark" x1="{frame.x(x):.1f}" x2="{frame.x(x):.1f}" y1="{TOP}" '
            f'y2="{height - BOTTOM}"><title>{escape(title)}</title></line>'
        )
    return _svg(height, parts, title="tracks over time")


def percent_bar(share: float, color: int) -> str:
    """A small horizontal bar for a table cell."""
    return (
        f'<svg class="cell" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect class="bar c{color}" width="{100 * min(max(share, 0), 1):.1f}" height="10"/></svg>'
    )


@dataclass(frozen=True, kw_only=True)
class _Frame:
    x_end: float
    y_end: float
    height: int
    left: int = LEFT

    def x(self, value: float) -> float:
        return self.left + (WIDTH - self.left - RIGHT) * value / self.x_end

    def y(self, value: float) -> float:
        return self.height - BOTTOM - (self.height - TOP - BOTTOM) * value / self.y_end


def _pieces(frame: _Frame, line: Series) -> list[str]:
    """The points of a line, split where values are missing."""
    pieces: list[list[str]] = [[]]
    for x, y in zip(line.x, line.y, strict=True):
        if y is None:
            pieces.append([])
        else:
            pieces[-1].append(f"{frame.x(x):.1f},{frame.y(min(y, frame.y_end)):.1f}")
    return [" ".join(piece) for piece in pieces if piece]


def _x_axis(frame: _Frame) -> list[str]:
    y = frame.height - BOTTOM
    parts = [f'<line class="axis" x1="{frame.left}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>']
    for value in _ticks(frame.x_end):
        if value <= frame.x_end:
            x = frame.x(value)
            anchor = "middle" if x < WIDTH - 2 * RIGHT else "end"  # the last one is not cut off
            parts.append(
                f'<text class="tick" x="{x:.1f}" y="{y + 18}" '
                f'text-anchor="{anchor}">{value:g} s</text>'
            )
    return parts


def _y_axis(frame: _Frame, label: str) -> list[str]:
    parts = []
    for value in _ticks(frame.y_end):
        if value > frame.y_end * 1.001:
            continue
        y = frame.y(value)
        parts.append(
            f'<path class="grid" d="M{frame.left} {y:.1f}H{WIDTH - RIGHT}"/>'
            f'<text class="tick" x="{frame.left - 8}" y="{y + 4:.1f}" text-anchor="end">'
            f"{value:g}</text>"
        )
    middle = (frame.height - BOTTOM + TOP) / 2
    parts.append(
        f'<text class="label" transform="translate(12 {middle:.0f}) rotate(-90)" '
        f'text-anchor="middle">{escape(label)}</text>'
    )
    return parts


def _ticks(end: float, count: int = 5) -> list[float]:
    """Round values from 0 to at least `end`, in steps of 1, 2 or 5 times a power of ten."""
    raw = end / count
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * 0.999)
    return [round(index * step, 10) for index in range(math.ceil(end / step - 1e-9) + 1)]


def _legend(entries: Sequence[tuple[str, int]]) -> str:
    items = "".join(
        f'<span><i class="swatch c{color}"></i>{escape(name)}</span>' for name, color in entries
    )
    return f'<div class="legend">{items}</div>'


def _svg(height: int, parts: Sequence[str], *, title: str) -> str:
    return (
        f'<svg class="plot" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="{escape(title)}">{"".join(parts)}</svg>'
    )
