"""A benchmark's results on disk: `results.json`, and the pictures as shown."""

import json
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from robot_vision.core.errors import ConfigError
from robot_vision.core.files.foreign import quoted, read_json

RESULTS = "results.json"
_PICTURES = "pictures"


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelRow(_Row):
    """A model of the benchmark. `problem` says why it was not asked, or stopped early."""

    name: str
    kind: str
    about: str
    is_hosted: bool
    problem: str = ""


class QuestionRow(_Row):
    """A question; `expected` is empty if the answer is unknown. `picture`: see `shown`."""

    kind: str
    text: str
    expected: str
    picture: int = Field(ge=0)
    has_card: bool


class AnswerRow(_Row):
    """A model's answer to a question, both by row."""

    model: int = Field(ge=0)
    question: int = Field(ge=0)
    text: str
    problem: str = ""
    score: float | None = None
    why: str = ""
    seconds: float | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    usd: float | None = None


class FigureRow(_Row):
    """A model's mean score in a kind of question, with its 95 % interval if there is one."""

    model: int = Field(ge=0)
    kind: str
    count: int
    score: float
    low: float | None
    high: float | None


class CostRow(_Row):
    """A model's cost. None is unknown; `usd` covers the answers whose price is known."""

    model: int = Field(ge=0)
    asked: int
    answered: int
    p50_s: float | None
    p95_s: float | None
    input_tokens: int | None
    output_tokens: int | None
    usd: float | None


class Results(_Row):
    """A whole benchmark. Pictures are `names`; rows of each count from 0."""

    measured: str
    names: tuple[str, ...]
    models: tuple[ModelRow, ...]
    questions: tuple[QuestionRow, ...]
    answers: tuple[AnswerRow, ...]
    figures: tuple[FigureRow, ...]
    costs: tuple[CostRow, ...]


def write_results(folder: Path, results: Results) -> None:
    """Write `results.json`."""
    text = json.dumps(results.model_dump(), indent=1, allow_nan=False)
    (folder / RESULTS).write_text(text + "\n", encoding="utf-8")


def read_results(folder: Path) -> Results:
    """The results in a folder; raises `ConfigError`."""
    file = Path(folder) / RESULTS
    if not file.is_file():
        raise ConfigError(
            f"{folder} has no {RESULTS}: expected a folder that `robot-vision bench multimodal` "
            "wrote"
        )
    try:
        results = Results.model_validate(read_json(file))
    except ValidationError as error:
        text = quoted(error.errors()[0])
        raise ConfigError(f"{file} is not of `robot-vision bench multimodal`: {text}") from error
    bounds = (
        max((row.picture for row in results.questions), default=-1) < len(results.names),
        max((row.question for row in results.answers), default=-1) < len(results.questions),
        max(
            (
                row.model
                for rows in (results.answers, results.figures, results.costs)
                for row in rows
            ),
            default=-1,
        )
        < len(results.models),
    )
    if not all(bounds):
        raise ConfigError(
            f"{file} refers to a picture, a question or a model that it does not contain"
        )
    return results


def shown_file(folder: Path, picture: int, *, has_card: bool) -> Path:
    """The path of a picture's copy, as shown."""
    return Path(folder) / _PICTURES / f"{picture:04d}{'_card' * has_card}.jpg"
