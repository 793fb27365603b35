"""Summarises answers: scores with intervals, times, tokens, costs."""

from collections.abc import Callable, Sequence

import numpy as np

from robot_vision.multimodal.results import (
    AnswerRow,
    CostRow,
    FigureRow,
    ModelRow,
    QuestionRow,
)
from robot_vision.training.metrics.bootstrap import bounds, resampled_mean


def figures_of(
    models: Sequence[ModelRow], questions: Sequence[QuestionRow], answers: Sequence[AnswerRow]
) -> list[FigureRow]:
    """Each model's mean score in each kind of question; a missing answer scores 0."""
    found = []
    for row in range(len(models)):
        for kind in dict.fromkeys(question.kind for question in questions):
            scores = [
                answer.score
                for answer in answers
                if answer.model == row
                and questions[answer.question].kind == kind
                and answer.score is not None
            ]
            if scores:
                found.append(_figure(row, kind, np.array(scores, float)))
    return found


def costs_of(models: Sequence[ModelRow], answers: Sequence[AnswerRow]) -> list[CostRow]:
    """The cost of each model."""
    found = []
    for row in range(len(models)):
        asked = [answer for answer in answers if answer.model == row]
        answered = [answer for answer in asked if not answer.problem]
        seconds = [answer.seconds for answer in answered if answer.seconds is not None]
        found.append(
            CostRow(
                model=row,
                asked=len(asked),
                answered=len(answered),
                p50_s=float(np.median(seconds)) if seconds else None,
                p95_s=float(np.percentile(seconds, 95)) if seconds else None,
                input_tokens=_sum(answered, lambda answer: answer.input_tokens),
                output_tokens=_sum(answered, lambda answer: answer.output_tokens),
                usd=float(sum(answer.usd or 0.0 for answer in answered)) if answered else None,
            )
        )
    return found


def _figure(model: int, kind: str, scores: np.ndarray) -> FigureRow:
    interval = bounds({"score": resampled_mean(scores)}) if len(scores) > 1 else {}
    return FigureRow(
        model=model,
        kind=kind,
        count=len(scores),
        score=float(scores.mean()),
        low=interval.get("score_low"),
        high=interval.get("score_high"),
    )


def _sum(answers: Sequence[AnswerRow], of: Callable[[AnswerRow], int | None]) -> int | None:
    """The sum of the known values; None if there are none."""
    known = [count for count in map(of, answers) if count is not None]
    return sum(known) if known else None
