"""Sections, tables and charts of a report, as HTML."""

from collections.abc import Sequence
from html import escape
from typing import Any

from robot_vision.viz.svg import Series, line_chart


def html_chart(
    result: dict[str, Any],
    lines: Sequence[tuple[str, str, int]],
    *,
    y_label: str,
    y_max: float | None = None,
) -> str:
    windows = result["figures"]["windows"]
    x = [row["start_s"] for row in windows]
    series = [
        Series(name=title, x=x, y=[row.get(key) for row in windows], color=color)
        for key, title, color in lines
    ]
    return line_chart(series, y_label=y_label, y_max=y_max)


def html_table(
    titles: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: set[int] | None = None
) -> str:
    """An HTML table of cells that are HTML already; columns in `numbers` are right-aligned."""
    right = numbers or set()

    def line(tag: str, cells: Sequence[str]) -> str:
        return "".join(
            f'<{tag} class="n">{cell}</{tag}>' if i in right else f"<{tag}>{cell}</{tag}>"
            for i, cell in enumerate(cells)
        )

    body = "".join(f"<tr>{line('td', row)}</tr>" for row in rows)
    return f'<div class="scroll"><table><tr>{line("th", titles)}</tr>{body}</table></div>'


def html_section(title: str, content: str) -> str:
    return f"<section><h2>{escape(title)}</h2>\n{content}</section>"
