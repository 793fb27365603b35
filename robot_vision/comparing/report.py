"""The report of a comparison: one self-contained HTML file, with light and dark themes."""

from base64 import b64encode
from collections.abc import Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

import cv2
import numpy as np
from jaxtyping import UInt8

from robot_vision.bench.models.garden_frame import HEIGHT_PX, WIDTH_PX
from robot_vision.comparing.compare import Compared, Interval, disagreements
from robot_vision.core.files.figures import write_figures

REPORT, FIGURES = "report.html", "comparison.json"
_ROW_PX, _LABEL_PX, _PLOT_PX, _END_PX = 34, 200, 500, 60


def write_report(
    folder: Path, compared: Sequence[Compared], *, about: str, measured: str, pictures: int
) -> None:
    """Write `comparison.json` and `report.html`, with the `pictures` on which they differ most."""
    folder.mkdir(parents=True, exist_ok=True)
    title = " and ".join(one.name for one in compared)
    body = "\n".join(
        [
            _head(title, compared, about, measured),
            _table(compared),
            _differences(compared),
            *_pictures(compared, pictures),
        ]
    )
    template = files("robot_vision.comparing").joinpath("static/report.html").read_text("utf-8")
    html = Template(template).substitute(title=escape(title), body=body)
    (folder / REPORT).write_text(html, encoding="utf-8")
    rows = [_as_json(one) for one in compared]
    write_figures(folder / FIGURES, {"measured": measured, "about": about, "rows": rows})


def shown(interval: Interval, *, is_signed: bool = False) -> str:
    """`0.512 (0.480 to 0.541)`; with a sign for differences."""
    form = "+.3f" if is_signed else ".3f"
    value = f"{interval.value:{form}}"
    if np.isnan(interval.low):
        return value
    return f"{value} ({interval.low:{form}} to {interval.high:{form}})"


def table_of(compared: Sequence[Compared]) -> tuple[list[str], list[list[str]]]:
    """Column heads, and a row for each bundle, as text."""
    figures = list(compared[0].figures)
    heads = ["model"]
    for figure in figures:
        heads += [f"{figure} (95 %)", f"against {compared[0].name}", "verdict"]
    heads += ["frame ms, p95"]
    rows = []
    for one in compared:
        row = [one.name]
        for figure in figures:
            row.append(shown(one.figures[figure]))
            is_first = one is compared[0]
            row.append("–" if is_first else shown(one.difference[figure], is_signed=True))
            row.append("–" if is_first else one.verdict(figure))
        rows.append([*row, f"{one.p50_ms:.1f}, {one.p95_ms:.1f}"])
    return heads, rows


def _head(title: str, compared: Sequence[Compared], about: str, measured: str) -> str:
    count = len(compared[0].side.names)
    return (
        f"<header><h1>{escape(title)}</h1><p>{escape(about)}: {count} pictures, the same for "
        f'all.</p><p class="muted">{escape(measured)}</p></header>'
    )


def _table(compared: Sequence[Compared]) -> str:
    heads, rows = table_of(compared)
    head = "".join(f"<th{' class=n' * (i > 0)}>{escape(h)}</th>" for i, h in enumerate(heads))
    body = ""
    for row in rows:
        cells = "".join(
            f'<td class="n {c if c in ("better", "worse") else ""}">{_two_lines(c)}</td>'
            for c in row[1:]
        )
        body += f"<tr><td>{escape(row[0])}</td>{cells}</tr>"
    return (
        f'<section><h2>Figures and time</h2><div class="scroll"><table><tr>{head}</tr>{body}'
        '</table></div><p class="muted">Differences are paired: the same pictures are drawn for '
        "all, a thousand times, so that what is hard for all does not blur them. No clear "
        "difference: the interval has 0 in it. Time is that of a camera's frame of "
        f"{WIDTH_PX}×{HEIGHT_PX}: resizing, network, decoding, in turns.</p></section>"
    )


def _two_lines(cell: str) -> str:
    """A figure above its interval."""
    figure, opened, interval = escape(cell).partition(" (")
    return f"{figure}<small>{interval.rstrip(')')}</small>" if opened else figure


def _differences(compared: Sequence[Compared]) -> str:
    """Each difference as a dot within its interval, beside a line at 0."""
    lines = [
        (f"{one.name}, {figure}", one.difference[figure])
        for one in compared[1:]
        for figure in one.figures
    ]
    known = [abs(side) for _, i in lines for side in (i.low, i.high, i.value) if side == side]
    reach = max([*known, 1e-3]) * 1.1

    def x(value: float) -> float:
        return _LABEL_PX + _PLOT_PX * (value / reach + 1) / 2

    parts = []
    for row, (label, interval) in enumerate(lines):
        y = _ROW_PX * row + _ROW_PX / 2
        if interval.low == interval.low:
            ends = f'x1="{x(interval.low):.1f}" x2="{x(interval.high):.1f}"'
            parts.append(f'<line class="interval" {ends} y1="{y}" y2="{y}"/>')
        parts.append(f'<circle cx="{x(interval.value):.1f}" cy="{y}" r="5"/>')
        parts.append(f'<text x="0" y="{y + 5}">{escape(label)}</text>')
        value = f'<text x="{_LABEL_PX + _PLOT_PX + 6}" y="{y + 5}">{interval.value:+.3f}</text>'
        parts.append(value)
    height = _ROW_PX * len(lines)
    zero = f'<line class="zero" x1="{x(0)}" x2="{x(0)}" y1="0" y2="{height}"/>'
    size = f"0 0 {_LABEL_PX + _PLOT_PX + _END_PX} {height}"
    label = f"Differences to {compared[0].name} with 95 % intervals"
    return (
        f"<section><h2>{escape(label)}</h2>"
        f'<svg viewBox="{size}" role="img" aria-label="{escape(label)}">{zero}{"".join(parts)}'
        "</svg></section>"
    )


def _pictures(compared: Sequence[Compared], count: int) -> list[str]:
    sections = []
    for row in disagreements(compared, count):
        sides = "".join(
            f"<figure>{_image(one.side.drawn(row), one.name)}<figcaption>{escape(one.name)}: "
            f"{one.side.scores[row]:.2f}</figcaption></figure>"
            for one in compared
        )
        name = escape(compared[0].side.names[row])
        sections.append(
            f'<section><h2>They disagree on {name}</h2><div class="sides">{sides}</div></section>'
        )
    return sections


def _image(rgb: UInt8[np.ndarray, "h w 3"], alt: str) -> str:
    bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
    _, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 85])
    text = b64encode(data.tobytes()).decode()
    return f'<img alt="{escape(alt)}" src="data:image/jpeg;base64,{text}">'


def _as_json(one: Compared) -> dict[str, Any]:
    return {
        "name": one.name,
        "figures": one.figures,
        "difference": one.difference,
        "p50_ms": one.p50_ms,
        "p95_ms": one.p95_ms,
    }
