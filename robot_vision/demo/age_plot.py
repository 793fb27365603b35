"""Ages of results over time as an SVG: the share of each stage, frame by frame."""

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np

_WIDTH, _HEIGHT = 900, 420
_LEFT, _RIGHT, _TOP, _BOTTOM = 60, 150, 56, 45
_COLORS = (
    "#4e79a7",
    "#f28e2b",
    "#e15759",
    "#76b7b2",
    "#59a14f",
    "#edc948",
    "#b07aa1",
    "#ff9da7",
    "#9c755f",
    "#bab0ac",
    "#d37295",
    "#499894",
)


def age_plot(time_s: Sequence[float], stages_ms: Sequence[Mapping[str, float]], title: str) -> str:
    """Stacked areas of the stages of each frame, at the frames' times. Ages above p99 are cut."""
    names = list(dict.fromkeys(name for row in stages_ms for name in row if name != "age"))
    values = np.array([[row.get(name, 0.0) for name in names] for row in stages_ms])
    upper = np.cumsum(values, axis=1)
    top_ms = max(float(np.percentile(upper[:, -1], 99)) * 1.1, 1.0)
    x = _scale(np.asarray(time_s), 0.0, max(max(time_s), 1e-6), _LEFT, _WIDTH - _RIGHT)
    y = _scale(np.minimum(upper, top_ms), 0.0, top_ms, _HEIGHT - _BOTTOM, _TOP)
    floor = np.full(len(x), float(_HEIGHT - _BOTTOM))
    parts = [_text(_LEFT, 22, title, size=15)]
    for k, name in enumerate(names):
        below = y[:, k - 1] if k else floor
        parts.append(_area(x, y[:, k], below, _COLORS[k % len(_COLORS)]))
        parts += _legend(len(names) - 1 - k, name, float(np.median(values[:, k])), k)
    parts += _axes(max(time_s), top_ms)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        f'font-family="sans-serif"><rect width="100%" height="100%" fill="white"/>'
        + "".join(parts)
        + "</svg>\n"
    )


def _scale(values: np.ndarray, low: float, high: float, at_low: int, at_high: int) -> np.ndarray:
    return at_low + (values - low) / (high - low) * (at_high - at_low)


def _area(x: np.ndarray, upper: np.ndarray, lower: np.ndarray, color: str) -> str:
    outline = [*zip(x, upper, strict=True), *zip(x[::-1], lower[::-1], strict=True)]
    points = " ".join(f"{px:.1f},{py:.1f}" for px, py in outline)
    return f'<polygon points="{points}" fill="{color}"/>'


def _legend(row: int, name: str, median_ms: float, k: int) -> list[str]:
    x, y = _WIDTH - _RIGHT + 12, _TOP + 10 + 22 * row
    box = f'<rect x="{x}" y="{y}" width="12" height="12" fill="{_COLORS[k % len(_COLORS)]}"/>'
    return [box, _text(x + 18, y + 11, f"{name} {median_ms:.1f}")]


def _axes(last_s: float, top_ms: float) -> list[str]:
    parts = [_text(8, _TOP - 14, "age, ms"), _text(_WIDTH - _RIGHT - 60, _HEIGHT - 8, "time, s")]
    for share in np.linspace(0, 1, 6):
        y = _HEIGHT - _BOTTOM - share * (_HEIGHT - _BOTTOM - _TOP)
        x = _LEFT + share * (_WIDTH - _RIGHT - _LEFT)
        parts.append(
            f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" '
            'stroke="black" stroke-opacity="0.15"/>'
        )
        parts.append(_text(18, round(y) + 4, f"{share * top_ms:.0f}"))
        parts.append(_text(round(x) - 8, _HEIGHT - _BOTTOM + 18, f"{share * last_s:.1f}"))
    return parts


def _text(x: int, y: int, text: str, *, size: int = 12) -> str:
    return f'<text x="{x}" y="{y}" font-size="{size}">{escape(text)}</text>'
