"""Policy commands: `collect` and `evaluate policy`."""

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from robot_vision.commands.allow_code import AllowCode
from robot_vision.commands.overrides import parsed
from robot_vision.core.files.code_permission import permit_code
from robot_vision.terminal import Screen

Processes = Annotated[int, typer.Option(min=0, help="0: one per core")]


def collect(
    out: Annotated[
        Path, typer.Option(help="folder of the episodes; an existing one is continued")
    ],
    episodes: Annotated[int, typer.Option(min=1)] = 100,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    split: Annotated[
        str,
        typer.Option(
            help="train, val or test; val and test contain appearances that train does not"
        ),
    ] = "train",
    model: Annotated[str, typer.Option(help="bundle of perception")] = "native-s",
    policy: Annotated[
        str, typer.Option(help="let this policy act while the expert labels its states")
    ] = "",
    frames: Annotated[
        int, typer.Option(min=0, help="end each episode after this many steps; 0: whole episodes")
    ] = 0,
    others: Annotated[int, typer.Option(min=0, help="additional instructions per frame")] = 3,
    absent: Annotated[
        int, typer.Option(min=0, help="instructions about absent objects per frame")
    ] = 1,
    overrides: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="a perception parameter in addition to the recipe's: name=value"
        ),
    ] = None,
    processes: Processes = 0,
    allow_code: AllowCode = False,
) -> None:
    """Collect demonstrations from the simulated robot: perception and the expert's actions."""
    from robot_vision.commands.scenes import parse_split, progress_bar
    from robot_vision.rollouts.collecting.collect import (
        PERCEPTION,
        CollectRecipe,
        collect_episodes,
    )

    permit_code(allow_code)
    recipe = CollectRecipe(
        seed=seed,
        split=parse_split(split),
        perception_model=model,
        policy=policy,
        frames=frames,
        others=others,
        absent=absent,
        perception=PERCEPTION | parsed(overrides or []),
    )
    with progress_bar() as progress:
        task = progress.add_task(f"episodes of {split}", total=episodes)
        collect_episodes(
            out,
            recipe,
            episodes=episodes,
            processes=processes or os.cpu_count() or 1,
            on_progress=lambda done: progress.update(task, completed=done),
        )
    Screen().print(f"{episodes} episodes in {out}")


def evaluate(
    policy: Annotated[
        str, typer.Option(help="bundle: a name or a folder; `expert`: upper bound")
    ] = "policy-s",
    episodes: Annotated[int, typer.Option(min=1, help="episodes per condition")] = 200,
    conditions: Annotated[
        str, typer.Option(help="names separated by commas, or `all`; `list` shows them")
    ] = "held_out",
    seed: Annotated[int, typer.Option(min=0)] = 1000,
    out: Annotated[Path | None, typer.Option(help="folder for evaluation.json")] = None,
    latency: Annotated[
        float, typer.Option(min=0, help="seconds from a camera's stamp to the policy's answer")
    ] = 0.06,
    model: Annotated[
        str,
        typer.Option(help="bundle of perception; empty: the one that the policy was trained on"),
    ] = "",
    joint_space: Annotated[
        bool, typer.Option(help="command the arm's joints instead of tool poses")
    ] = False,
    against: Annotated[
        Path | None,
        typer.Option(help="`--out` folder of another run to compare with, episode by episode"),
    ] = None,
    arm: Annotated[str, typer.Option(help="the simulated arm: seven or six joints")] = "seven",
    split: Annotated[str, typer.Option(help="appearances: train, val or test")] = "test",
    environment: Annotated[
        str, typer.Option(help="an external simulator: module:function; needs --allow-code")
    ] = "",
    fixed_camera: Annotated[
        bool | None,
        typer.Option(
            help="keep the front camera at its nominal pose in all scenes, or vary it; default: "
            "nominal for a policy trained with a fixed camera"
        ),
    ] = None,
    processes: Processes = 0,
    allow_code: AllowCode = False,
) -> None:
    """Success rate in closed loop, on the simulated robot or in your own simulator.

    Perception is in the loop if the policy uses it. A folder with some of the episodes is
    completed.
    """
    from robot_vision.commands.scenes import parse_split, progress_bar
    from robot_vision.rollouts.evaluating.evaluate import evaluate_policy

    permit_code(allow_code)
    if conditions == "list":
        _list_conditions()
        return
    with progress_bar() as progress:
        task = progress.add_task("episodes", total=None)
        report = evaluate_policy(
            policy,
            conditions=_condition_names(conditions),
            episodes=episodes,
            seed=seed,
            latency_s=latency,
            model=model,
            joint_space=joint_space,
            arm=arm,
            split=parse_split(split),
            environment=environment,
            fixed_camera=fixed_camera,
            processes=processes or os.cpu_count() or 1,
            out=out,
            against=against,
            on_progress=lambda done, total: progress.update(task, completed=done, total=total),
        )
    _show(report, out)


def _list_conditions() -> None:
    from robot_vision.rollouts.evaluating.evaluate import CONDITIONS

    for name, condition in CONDITIONS.items():
        Screen().print(f"{name:20} {condition.description}")


def _condition_names(text: str) -> list[str]:
    from robot_vision.rollouts.evaluating.evaluate import CONDITIONS

    return list(CONDITIONS) if text == "all" else text.split(",")


def _show(report: dict[str, Any], out: Path | None) -> None:
    """Print the report, and draw it if there is a folder for it."""
    from robot_vision.rollouts.evaluating.report import draw_degradation, print_report

    print_report(report)
    if out and draw_degradation(report, out / "degradation.png"):
        Screen().print(f"{out}/evaluation.json, {out}/degradation.png")
