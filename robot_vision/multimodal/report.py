"""The report of a benchmark: one self-contained HTML file, with light and dark themes."""

from base64 import b64encode
from collections.abc import Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template

from robot_vision.multimodal.question import KINDS
from robot_vision.multimodal.results import AnswerRow, CostRow, ModelRow, Results, shown_file

REPORT = "report.html"
TITLE = "Models that answer questions about pictures"
NOT_THERE = "–"
_RIGHT = 0.999


def write_report(folder: Path, results: Results) -> Path:
    """Write `report.html` beside the results; returns the file."""
    template = files("robot_vision.multimodal").joinpath("static/report.html").read_text("utf-8")
    pictures = [_picture(folder, results, number) for number in range(len(results.names))]
    body = "\n".join([_head(results), _summary(results), _problems(results), *pictures])
    file = folder / REPORT
    file.write_text(Template(template).substitute(title=TITLE, body=body), encoding="utf-8")
    return file


def summary_table(results: Results) -> tuple[list[str], list[list[str]]]:
    """Column heads, and a row for each model as text: scores by kind, seconds, tokens, price."""
    kinds = list(dict.fromkeys(figure.kind for figure in results.figures))
    found = {(figure.model, figure.kind): figure for figure in results.figures}
    rows = []
    for number, (model, cost) in enumerate(zip(results.models, results.costs, strict=True)):
        scores = []
        for kind in kinds:
            figure = found.get((number, kind))
            scores.append(NOT_THERE if figure is None else f"{figure.score:.2f}")
            if figure is not None and figure.low is not None:
                scores[-1] += f" ({figure.low:.2f} to {figure.high:.2f})"
        rows.append([model.name, *scores, *_costs(model, cost)])
    heads = ["model", *kinds, "answered", "s, p95", "tokens in", "out", "USD"]
    return heads, rows


def _costs(model: ModelRow, cost: CostRow) -> list[str]:
    seconds = NOT_THERE
    if cost.p50_s is not None and cost.p95_s is not None:
        seconds = f"{_seconds(cost.p50_s)}, {_seconds(cost.p95_s)}"
    usd = NOT_THERE if cost.usd is None or not model.is_hosted else f"{cost.usd:.4f}"
    return [
        f"{cost.answered} of {cost.asked}",
        seconds,
        *(NOT_THERE if n is None else str(n) for n in (cost.input_tokens, cost.output_tokens)),
        usd,
    ]


def _seconds(value: float) -> str:
    return f"{value:.3g}" if value >= 0.001 else "<0.001"


def _head(results: Results) -> str:
    asked = f"{len(results.questions)} questions about {len(results.names)} pictures"
    return (
        f"<header><h1>{TITLE}</h1><p>{asked}, the same for all models.</p>"
        f'<p class="muted">{escape(results.measured)}</p></header>'
    )


def _summary(results: Results) -> str:
    heads, rows = summary_table(results)
    cells = [[_with_interval(cell) for cell in row] for row in rows]
    kinds = dict.fromkeys(question.kind for question in results.questions)
    about = "".join(f"<li><b>{k}</b>: {escape(KINDS.get(k).about)}</li>" for k in kinds)
    return (
        f"<section><h2>Scores, time and price</h2>{_table(heads, cells)}"
        f'<ul class="muted">{about}</ul><p class="muted">Mean scores from 0 to 1, judged '
        "against the pictures' ground truth, with 95 % intervals; an unanswered question "
        "scores 0. Seconds are the median and the 95th percentile of an answer.</p></section>"
    )


def _problems(results: Results) -> str:
    failed = [model for model in results.models if model.problem]
    if not failed:
        return ""
    rows = "".join(f"<li><b>{escape(m.name)}</b>: {escape(m.problem)}</li>" for m in failed)
    return f"<section><h2>Not asked, or stopped early</h2><ul>{rows}</ul></section>"


def _picture(folder: Path, results: Results, number: int) -> str:
    rows = [row for row, question in enumerate(results.questions) if question.picture == number]
    images = "".join(
        _image(folder, number, has_card, results.names[number])
        for has_card in sorted({results.questions[row].has_card for row in rows})
    )
    said = {(answer.question, answer.model): answer for answer in results.answers}
    asked = sorted({answer.model for answer in results.answers})
    heads = ["question", *(escape(results.models[model].name) for model in asked)]
    head = "".join(f'<th scope="col">{name}</th>' for name in heads)
    body = ""
    for row in rows:
        question = results.questions[row]
        expected = f'<span class="why">{escape(question.expected)}</span>'
        cells = "".join(f"<td>{_answer(said.get((row, model)))}</td>" for model in asked)
        body += f'<tr><th scope="row">{escape(question.text)}{expected}</th>{cells}</tr>'
    table = f'<div class="scroll"><table class="answers"><tr>{head}</tr>{body}</table></div>'
    return (
        f"<section><h2>{escape(results.names[number])}</h2>"
        f'<div class="picture"><div>{images}</div>{table}</div></section>'
    )


def _image(folder: Path, number: int, has_card: bool, name: str) -> str:
    data = b64encode(shown_file(folder, number, has_card=has_card).read_bytes()).decode()
    what = f"{name}, with a card" if has_card else name
    return f'<img alt="{escape(what)}" src="data:image/jpeg;base64,{data}">'


def _answer(answer: AnswerRow | None) -> str:
    if answer is None:
        return NOT_THERE
    text = escape(answer.problem or answer.text) or '<span class="muted">(nothing)</span>'
    why = f'<span class="why">{escape(answer.why)}</span>' if answer.why else ""
    return f"{_mark(answer.score)}{text}{why}"


def _mark(score: float | None) -> str:
    """Shapes differ, so that nothing depends on colour alone."""
    if score is None:
        return ""
    if score >= _RIGHT:
        return '<span class="mark right" title="right">✓</span>'
    if score > 0:
        return f'<span class="mark partly" title="partly right">~ {score:.2f}</span>'
    return '<span class="mark wrong" title="wrong">✗</span>'


def _with_interval(cell: str) -> str:
    figure, opened, interval = escape(cell).partition(" (")
    return f'{figure}<span class="interval">{interval.rstrip(")")}</span>' if opened else figure


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    def line(tag: str, cells: Sequence[str]) -> str:
        first, *rest = cells
        return f"<{tag}>{first}</{tag}>" + "".join(f'<{tag} class="n">{c}</{tag}>' for c in rest)

    body = "".join(f"<tr>{line('td', row)}</tr>" for row in rows)
    return f'<div class="scroll"><table><tr>{line("th", heads)}</tr>{body}</table></div>'
