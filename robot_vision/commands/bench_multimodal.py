"""`robot-vision bench multimodal`: models that answer questions about pictures, side by side."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from robot_vision.commands.json_file import MaybeJsonFile, write_json
from robot_vision.core.errors import ConfigError
from robot_vision.terminal import Screen, say

if TYPE_CHECKING:
    from robot_vision.multimodal.answerer import Chosen
    from robot_vision.multimodal.question import Question
    from robot_vision.multimodal.results import Results


def register(bench_app: typer.Typer) -> None:
    """Add `multimodal` to the `bench` commands."""
    bench_app.command("multimodal")(multimodal)


def multimodal(
    pictures: Annotated[
        Path,
        typer.Argument(
            help="a set of `scenes generate`, COCO annotations, or a folder of pictures"
        ),
    ],
    models: Annotated[
        Path | None, typer.Option(help="YAML file of the models to ask; docs/multimodal.md")
    ] = None,
    images: Annotated[
        Path | None, typer.Option(help="folder of the images of COCO annotations")
    ] = None,
    count: Annotated[int, typer.Option(min=1, max=10_000, help="pictures")] = 20,
    kind: Annotated[
        list[str] | None,
        typer.Option(help="kind of question; repeatable; default: all that the pictures allow"),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="seed of the questions")] = 0,
    ask_providers: Annotated[
        bool,
        typer.Option(
            "--ask-providers",
            help="also ask hosted models: pictures leave this machine, and answers cost money",
        ),
    ] = False,
    most_usd: Annotated[
        float, typer.Option(min=0, help="stop asking hosted models once this is spent")
    ] = 1.0,
    trivial: Annotated[
        bool, typer.Option(help="also ask trivial models and this service's own")
    ] = True,
    out: Annotated[Path, typer.Option(help="folder for results and report")] = Path(
        "out/multimodal"
    ),
    json_file: MaybeJsonFile = None,
) -> None:
    """Ask models about pictures: captions, objects, counts, colors, presence, texts.

    Answers are scored against the known content of the pictures; times, tokens and prices are
    reported with them.
    """
    from robot_vision.core.files.foreign import read_json
    from robot_vision.multimodal.benchmark import BenchmarkOptions, run_benchmark
    from robot_vision.multimodal.report import REPORT
    from robot_vision.multimodal.results import RESULTS

    chosen = _models(models, trivial=trivial)
    questions = _questions(pictures, images, count=count, kinds=kind or [], seed=seed)
    say(f"{len(questions)} questions to each of {len(chosen)} models")
    results = run_benchmark(
        chosen,
        questions,
        out,
        BenchmarkOptions(asks_hosted=ask_providers, most_usd=most_usd),
        on_model=lambda model: say(f"{model.name}: {model.problem or 'done'}"),
    )
    _print(results)
    say(f"written to {out}: {REPORT}, results.json; to view it:")
    say(f"robot-vision console --multimodal {out}")
    if json_file is not None:
        write_json(json_file, read_json(out / RESULTS))


def _models(file: Path | None, *, trivial: bool) -> "list[Chosen]":
    """Those of the file after the trivial ones; raises `ConfigError` if there are none."""
    from robot_vision.multimodal.answerer import baselines, read_models, with_names_apart

    listed = read_models(file) if file else []
    chosen = with_names_apart([*(baselines() if trivial else []), *listed])
    if not chosen:
        raise ConfigError("no model to ask: expected --models FILE, or trivial models")
    return chosen


def _questions(
    pictures: Path, images: Path | None, *, count: int, kinds: list[str], seed: int
) -> "list[Question]":
    """Questions of these kinds, of all kinds if none is given; raises `ConfigError` if none."""
    from robot_vision.multimodal.pictures import open_pictures
    from robot_vision.multimodal.question import KINDS, questions_about

    kinds = list(dict.fromkeys(kinds or KINDS))
    questions = questions_about(
        open_pictures(pictures, count=count, images=images), kinds, seed=seed
    )
    if not questions:
        raise ConfigError(f"{pictures} allows no questions of kind {', '.join(kinds)}")
    return questions


def _print(results: "Results") -> None:
    from rich.table import Table

    from robot_vision.multimodal.report import summary_table

    heads, rows = summary_table(results)
    columns = [heads, *rows]
    table = Table(*(column[0] for column in columns))
    for line in zip(*(column[1:] for column in columns), strict=True):
        table.add_row(*line)
    Screen().print(table)
