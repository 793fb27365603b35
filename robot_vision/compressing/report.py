"""The report of a plan: a table, `figures.json`, `pareto.png` and an HTML page with both."""

from base64 import b64encode
from dataclasses import asdict
from html import escape
from pathlib import Path

from robot_vision.compressing.carry_out import Outcome, Row
from robot_vision.compressing.pareto import draw, front
from robot_vision.core.files.figures import write_figures

REPORT, FIGURES, PICTURE = "report.html", "figures.json", "pareto.png"
NOT_KNOWN = "not known here"


def write_report(folder: Path, outcome: Outcome, *, measured: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    draw(outcome, folder / PICTURE)
    values = asdict(outcome)
    for row, own in zip(values["rows"], outcome.rows, strict=True):
        row["bundle"] = str(own.bundle)
        row["history"] = [step.model_dump() for step in own.history]
    write_figures(folder / FIGURES, {"measured": measured, **values})
    (folder / REPORT).write_text(_page(folder / PICTURE, outcome, measured), encoding="utf-8")


def table_of(outcome: Outcome) -> tuple[list[str], list[list[str]]]:
    """Headings, and a row per variant, as text; the Pareto front of latency is marked."""
    heads = ["model", f"{outcome.metric} (95 %)", "parameters", "size MB", "p50 ms", "p95 ms"]
    heads += ["times as fast", "energy mJ", "verdict"]
    best = front(outcome.rows, "p50_ms")
    rows = [_cells(row, is_best=row in best) for row in outcome.rows]
    rows += [[name, *["–"] * 7, f"refused: {why}"] for name, why in outcome.refused.items()]
    return heads, rows


def _cells(row: Row, *, is_best: bool) -> list[str]:
    interval = "" if row.low is None else f" ({row.low:.3f} to {row.high:.3f})"
    energy = NOT_KNOWN if row.cost.energy_mj is None else f"{row.cost.energy_mj:.1f}"
    return [
        row.name + (" ★" if is_best else ""),
        f"{row.figure:.4f}{interval}",
        f"{row.parameters / 1e6:.3f} M",
        f"{row.cost.size_mb:.2f}",
        f"{row.cost.p50_ms:.1f}",
        f"{row.cost.p95_ms:.1f}",
        f"{row.gain:.2f}",
        energy,
        row.verdict,
    ]


def _page(picture: Path, outcome: Outcome, measured: str) -> str:
    heads, rows = table_of(outcome)
    head = "".join(f"<th>{escape(text)}</th>" for text in heads)
    body = "\n".join(
        f"<tr>{''.join(f'<td>{escape(text)}</td>' for text in row)}</tr>" for row in rows
    )
    image = b64encode(picture.read_bytes()).decode()
    histories = "\n".join(_history(row) for row in outcome.rows[1:])
    return f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Compression</title><style>{_STYLE}</style>
<h1>Compression</h1>
<p>{escape(measured)}. The dotted line is the limit: {outcome.most_lost:g} of
{escape(outcome.metric)} may be lost. ★: no other variant is both faster and better.</p>
<table><tr>{head}</tr>
{body}</table>
<img alt="{escape(outcome.metric)} over latency and size" src="data:image/png;base64,{image}">
<h2>Steps</h2>
{histories}
</html>
"""


def _history(row: Row) -> str:
    lines = "\n".join(
        f"<li>{escape(step.step)}: {escape(_figures(step.before))} → "
        f"{escape(_figures(step.after))}<br><small>{escape(step.note)}</small></li>"
        for step in row.history[1:]
    )
    return f"<h3>{escape(row.name)}</h3><ol>{lines}</ol>"


def _figures(values: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.10g}" for name, value in values.items())


_STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 70rem; margin: auto; padding: 1rem; }
table { border-collapse: collapse; display: block; overflow-x: auto; }
th, td { text-align: left; padding: .3rem .7rem; border-bottom: 1px solid #8886; }
img { max-width: 100%; background: white; margin-top: 1.5rem; }
small { opacity: .75; }
"""
