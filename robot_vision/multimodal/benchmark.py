"""Runs a benchmark; writes `results.json`, `report.html` and the pictures shown to a folder."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from robot_vision.machine import describe_machine
from robot_vision.multimodal.answerer import Chosen
from robot_vision.multimodal.hosted.hosted import jpeg_of
from robot_vision.multimodal.question import Question
from robot_vision.multimodal.report import write_report
from robot_vision.multimodal.results import (
    AnswerRow,
    ModelRow,
    QuestionRow,
    Results,
    shown_file,
    write_results,
)
from robot_vision.multimodal.run import Budget, ask_all
from robot_vision.multimodal.summary import costs_of, figures_of

ANSWERS = "answers.jsonl"
_SHOWN_PX = 640


@dataclass(frozen=True, kw_only=True)
class BenchmarkOptions:
    asks_hosted: bool
    most_usd: float


def run_benchmark(
    chosen: Sequence[Chosen],
    questions: Sequence[Question],
    folder: Path,
    options: BenchmarkOptions,
    *,
    on_model: Callable[[ModelRow], None] = lambda _: None,
) -> Results:
    """Ask all models and write the folder. Answers are saved as they come: each may cost money."""
    names = tuple(dict.fromkeys(question.picture.name for question in questions))
    _write_shown(folder, names, questions)
    rows = tuple(_row(question, names) for question in questions)
    models: list[ModelRow] = []
    answers: list[AnswerRow] = []
    budget = Budget(most_usd=options.most_usd)
    with (folder / ANSWERS).open("w", encoding="utf-8") as log:

        def keep(answer: AnswerRow) -> None:
            log.write(answer.model_dump_json() + "\n")
            log.flush()

        for asked in ask_all(
            chosen, questions, asks_hosted=options.asks_hosted, budget=budget, on_answer=keep
        ):
            models.append(asked.model)
            answers += asked.answers
            on_model(asked.model)
    results = Results(
        measured=_measured(),
        names=names,
        models=tuple(models),
        questions=rows,
        answers=tuple(answers),
        figures=tuple(figures_of(models, rows, answers)),
        costs=tuple(costs_of(models, answers)),
    )
    write_results(folder, results)
    write_report(folder, results)
    return results


def _row(question: Question, names: Sequence[str]) -> QuestionRow:
    return QuestionRow(
        kind=question.kind,
        text=question.text,
        expected=question.expected,
        picture=names.index(question.picture.name),
        has_card=bool(question.card),
    )


def _write_shown(folder: Path, names: Sequence[str], questions: Sequence[Question]) -> None:
    """Copies of the pictures, for the report and the console."""
    for question in questions:
        number = names.index(question.picture.name)
        file = shown_file(folder, number, has_card=bool(question.card))
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(jpeg_of(question.rgb(), _SHOWN_PX))


def _measured() -> str:
    machine = describe_machine()
    return (
        f"{machine['processor']}, {machine['cores']} cores, load {machine['load_1min']} at the end"
    )
