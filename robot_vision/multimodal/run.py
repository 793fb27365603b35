"""Asks all models all questions, one model after the other."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from time import perf_counter

from robot_vision.core.errors import RobotVisionError
from robot_vision.core.files.foreign import plain
from robot_vision.multimodal.answerer import Answerer, AnswerError, Chosen, GivenUpError, Reply
from robot_vision.multimodal.question import Question, judged
from robot_vision.multimodal.results import AnswerRow, ModelRow

# After this many unanswered questions in a row, a model is not asked any more.
_MOST_FAILURES = 5
_LONGEST_ANSWER = 4_000
_NOT_ASKED = (
    "not asked: pictures would leave this machine, and answers cost money; --ask-providers asks it"
)


@dataclass
class Budget:
    """The total budget for hosted models. An answer already begun is paid for."""

    most_usd: float
    spent_usd: float = 0.0

    @property
    def is_spent(self) -> bool:
        return self.spent_usd >= self.most_usd


@dataclass(frozen=True, kw_only=True)
class Answered:
    """A model and its answers."""

    model: ModelRow
    answers: tuple[AnswerRow, ...]


def ask_all(
    chosen: Sequence[Chosen],
    questions: Sequence[Question],
    *,
    asks_hosted: bool,
    budget: Budget,
    on_answer: Callable[[AnswerRow], None] = lambda _: None,
) -> Iterator[Answered]:
    """Each model in turn; `on_answer` is called with every answer as it comes.

    If a model is unavailable or gives up, the reason is recorded and the next one is asked.
    """
    for row, one in enumerate(chosen):
        answers: list[AnswerRow] = []
        problem = _refusal(one, asks_hosted=asks_hosted, budget=budget)
        if not problem:
            try:
                answerer = one.kind.build(one.spec, questions)
            except RobotVisionError as error:
                problem = plain(error)
            else:
                asking = _Asking(one, row, answerer, budget)
                for answer in asking.all(questions):
                    answers.append(answer)
                    on_answer(answer)
                problem = asking.problem
        model = ModelRow(
            name=one.name,
            kind=one.kind.name,
            about=one.kind.about,
            is_hosted=one.kind.is_hosted,
            problem=problem,
        )
        yield Answered(model=model, answers=tuple(answers))


def _refusal(one: Chosen, *, asks_hosted: bool, budget: Budget) -> str:
    """Why a model is not asked at all; empty if it is."""
    if one.kind.is_hosted and not asks_hosted:
        return _NOT_ASKED
    if one.kind.is_hosted and not one.spec.is_free and budget.is_spent:
        return f"not asked: {budget.spent_usd:.4f} USD are spent (--most-usd)"
    return ""


class _Asking:
    """One model being asked; `problem` says why it is not asked any more."""

    def __init__(self, chosen: Chosen, row: int, answerer: Answerer, budget: Budget) -> None:
        self._chosen, self._row = chosen, row
        self._answerer, self._budget = answerer, budget
        self._failures = 0
        self.problem = ""

    def all(self, questions: Sequence[Question]) -> Iterator[AnswerRow]:
        """Answers until there is a problem; then the model is closed."""
        try:
            for number, question in enumerate(questions):
                yield self.ask(number, question)
                if self.problem:
                    break
        finally:
            self._answerer.close()

    def ask(self, number: int, question: Question) -> AnswerRow:
        rgb = question.rgb()
        began_s = perf_counter()
        try:
            reply = self._answerer.ask(question, rgb)
        except AnswerError as error:
            return self._failed(number, question, error)
        seconds = perf_counter() - began_s - reply.waited_s
        self._failures = 0
        text = plain(reply.text[:_LONGEST_ANSWER])
        verdict = judged(question, text)
        return AnswerRow(
            model=self._row,
            question=number,
            text=text,
            score=None if verdict is None else verdict.score,
            why="" if verdict is None else verdict.why,
            seconds=seconds,
            input_tokens=reply.input_tokens,
            output_tokens=reply.output_tokens,
            usd=self._paid(number, reply),
        )

    def _paid(self, number: int, reply: Reply) -> float | None:
        """The cost of the answer; stops asking if it is unknown or the budget is spent."""
        usd = self._chosen.spec.usd_of(reply)
        after = f"not asked after question {number + 1}"
        if usd is None:
            self.problem = f"{after}: it does not report its tokens, so its cost is unknown"
            return None
        self._budget.spent_usd += usd
        if usd and self._budget.is_spent:
            self.problem = (
                f"{after}: {self._budget.spent_usd:.4f} USD are spent, of "
                f"{self._budget.most_usd:g} (--most-usd)"
            )
        return usd

    def _failed(self, number: int, question: Question, error: AnswerError) -> AnswerRow:
        self._failures += 1
        if isinstance(error, GivenUpError):
            self.problem = f"not asked after question {number + 1}: {plain(error)}"
        elif self._failures == _MOST_FAILURES:
            self.problem = (
                f"not asked after question {number + 1}: {self._failures} in a row had no answer; "
                f"the last: {plain(error)}"
            )
        score = 0.0 if question.is_judged else None
        return AnswerRow(
            model=self._row, question=number, text="", problem=plain(error), score=score
        )
