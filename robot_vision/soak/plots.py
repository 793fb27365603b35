"""Plots of a soak as standalone SVG files, for browsers and documents."""

import re
from collections.abc import Sequence
from html import escape

from robot_vision.soak.outcome import FaultRun
from robot_vision.viz.svg import Series, line_chart

_COLORS = ("#4e79a7", "#f28e2b", "#59a14f", "#b07aa1", "#9c755f", "#76b7b2", "#edc948", "#e15759")
_GOOD, _BAD = _COLORS[2], _COLORS[7]
_WIDTH, _LEFT, _RIGHT, _ROW, _TOP = 900, 190, 20, 17, 34
_SIZE = re.compile(r'viewBox="0 0 (\d+) (\d+)"')
_TITLE = 24


def lines(series: Sequence[Series], *, title: str, y_label: str) -> str:
    """Lines over seconds with a legend above; `""` if there is nothing to show."""
    if not any(line.x for line in series):
        return ""
    drawn, _, _ = line_chart(series, y_label=y_label, height=240).partition("</svg>")
    found = _SIZE.search(drawn)
    assert found is not None
    width, height = int(found[1]), int(found[2])
    inner = drawn[drawn.index(">") + 1 :]
    x, names = 60 + 8 * len(title), [_text(12, 16, title, bold=True)]
    for line in series:
        color = _COLORS[(line.color - 1) % len(_COLORS)]
        names.append(f'<rect x="{x}" y="7" width="11" height="11" fill="{color}"/>')
        names.append(_text(x + 16, 16, line.name))
        x += 34 + 7 * len(line.name)
    body = f'{"".join(names)}<g transform="translate(0 {_TITLE})">{inner}</g>'
    return _file(width, height + _TITLE, body)


def timeline(runs: Sequence[FaultRun], *, end_s: float) -> str:
    """A row per fault: when it was active, red if something was violated."""
    names = sorted({run.name for run in runs})
    height = _TOP + _ROW * len(names) + 30
    scale = (_WIDTH - _LEFT - _RIGHT) / max(end_s, 1.0)
    parts = [_text(12, 16, "Faults (green: held and recovered; red: something was violated)")]
    for row, name in enumerate(names):
        y = _TOP + _ROW * row
        parts.append(_text(_LEFT - 8, y + 12, name, anchor="end"))
        parts.append(f'<path class="grid" d="M{_LEFT} {y + _ROW - 0.5}H{_WIDTH - _RIGHT}"/>')
        for run in (run for run in runs if run.name == name):
            x, width = _LEFT + run.begin_s * scale, max((run.end_s - run.begin_s) * scale, 3)
            color = _BAD if run.violations else _GOOD
            title = ", ".join(f"{k} ×{n}" for k, n in run.violations.items()) or run.verdict
            parts.append(
                f'<rect x="{x:.1f}" y="{y + 3}" width="{width:.1f}" height="{_ROW - 6}" '
                f'fill="{color}"><title>{escape(f"{run.begin_s:.1f} s: {title}")}</title></rect>'
            )
    for share in (0, 0.25, 0.5, 0.75, 1):
        x = _LEFT + share * (_WIDTH - _LEFT - _RIGHT)
        parts.append(_text(round(x), height - 10, f"{share * end_s:.0f} s", anchor="middle"))
    return _file(_WIDTH, height, "".join(parts))


def _file(width: int, height: int, body: str) -> str:
    style = "".join(
        f".line.c{k} {{ stroke: {color}; }}" for k, color in enumerate(_COLORS, start=1)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" font-family="sans-serif" font-size="12">'
        "<style>.line { fill: none; stroke-width: 1.5; stroke-linecap: round; } "
        ".grid { stroke: #ddd; fill: none; } .axis { stroke: #888; } "
        f"{style}</style>"
        f'<rect width="{width}" height="{height}" fill="white"/>{body}</svg>\n'
    )


def _text(x: int, y: int, text: str, *, anchor: str = "start", bold: bool = False) -> str:
    weight = ' font-weight="bold"' if bold else ""
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}"{weight}>{escape(text)}</text>'
