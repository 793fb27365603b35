"""`robot-vision evaluate explanations`: whether maps of some models can be believed."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from robot_vision.commands.explain_options import Cache, Size, subject_named
from robot_vision.core.errors import RobotVisionError

if TYPE_CHECKING:
    from robot_vision.explain.measuring.measure import Measured

FIGURES, SHEET = "explanations.json", "maps.png"


def evaluate(
    models: Annotated[
        list[str], typer.Argument(help="runs, or bundles: names in the store or folders")
    ],
    data: Annotated[
        Path,
        typer.Option(help="held-out set with masks, as `scenes generate`; of a policy: episodes"),
    ],
    way: Annotated[
        list[str] | None, typer.Option(help="`explain ways` lists them; repeatable")
    ] = None,
    images: Annotated[int, typer.Option(help="cases, spread over the set", min=1)] = 100,
    size: Size = "",
    cache: Cache = "",
    out: Annotated[Path, typer.Option(help="folder for figures and sheets")] = Path(
        "out/explanations"
    ),
) -> None:
    """Whether maps lie on objects, are faithful, and change when weights are random."""
    from robot_vision.core.files.figures import write_figures
    from robot_vision.explain.measuring.measure import measure
    from robot_vision.machine import describe_machine
    from robot_vision.terminal import Screen, styled

    out.mkdir(parents=True, exist_ok=True)
    screen = Screen()
    described: dict[str, Any] = {"data": str(data), "machine": describe_machine(), "models": []}
    for number, model in enumerate(models, start=1):
        sheet = out / (SHEET if len(models) == 1 else f"maps_{number}.png")
        try:
            subject, cases, usual = _cases(model, data, size=size, count=images, cache=cache)
            with screen.status(f"{model}: pictures") as status:
                found = measure(
                    subject,
                    cases,
                    way or usual,
                    sheet=sheet,
                    progress=lambda done: status.update(f"{done} pictures"),
                )
        except RobotVisionError as error:
            if len(models) == 1:
                raise
            screen.print(styled(f"{model}: {error}", "red"), soft_wrap=True)
            described["models"].append({"model": model, "problem": str(error)})
            continue
        _print(screen, subject.name, found)
        described["models"].append({"model": subject.name, **_described(found)})
    write_figures(out / FIGURES, described)
    screen.print(f"written: {out / FIGURES}")
    if not any("ways" in one for one in described["models"]):
        raise typer.Exit(2)


def _cases(model: str, data: Path, *, size: str, count: int, cache: str) -> tuple[Any, Any, Any]:
    """The model, its cases, and the ways that suit it."""
    from robot_vision.explain.measuring.cases import cases
    from robot_vision.explain.measuring.policy_cases import policy_cases
    from robot_vision.explain.opening.policy import is_policy, open_policy_episodes

    if is_policy(model):
        opened = open_policy_episodes(model, str(data), cache_dir=cache)
        ways = ["hires_cam", "grad_cam", "occlusion", "pointing"]
        return opened.subject, policy_cases(opened, count=count), ways
    subject = subject_named(model, size)
    return subject, cases(subject, str(data), count=count), ["grad_cam", "hires_cam"]


def _print(screen: Any, name: str, found: "Sequence[Measured]") -> None:
    from rich.table import Table

    from robot_vision.explain.measuring.measure import GOAL_ENERGY, GOAL_RATIO

    table = Table("figure", *(one.way for one in found), title=name)
    table.add_row("cases", *(str(one.cases) for one in found))
    for figure in max((one.figures for one in found), key=len):
        table.add_row(figure, *(f"{one.figures.get(figure, float('nan')):.3f}" for one in found))
    if any(one.reaches_goal is not None for one in found):
        goal = f"{GOAL_ENERGY:g} inside and {GOAL_RATIO:g} × the share"
        table.add_row(goal, *("yes" if one.reaches_goal else "no" for one in found))
    for one in found:
        for reason, count in one.refused.items():
            screen.print(f"{one.way}: {count} refused: {reason}")
    screen.print(table)


def _described(found: "Sequence[Measured]") -> dict[str, Any]:
    return {
        "ways": {
            one.way: {
                "cases": one.cases,
                **one.figures,
                "reaches_goal": one.reaches_goal,
                "refused": one.refused,
            }
            for one in found
        }
    }
