"""`robot-vision demonstrations …`: record a robot's topics; inspect, check and export datasets."""

import os
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Column, Table

from robot_vision.core.errors import ConfigError
from robot_vision.core.files.foreign import brief
from robot_vision.terminal import Screen, say

if TYPE_CHECKING:
    from collections.abc import Callable

    from robot_vision.simulation.robot.demonstrate import Job
    from robot_vision.simulation.robot.recipe import DemonstrationRecipe

app = typer.Typer(
    no_args_is_help=True, help="Record demonstrations as LeRobot datasets, and check them."
)

_MOST_ROWS = 1000

Folder = Annotated[Path, typer.Argument(help="folder of a dataset")]


class Order(str, Enum):
    """An operator's commands."""

    begin = "begin"
    success = "success"
    failure = "failure"
    discard = "discard"


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    epilog="Example: robot-vision demonstrations record -p dataset:=picks -p fps:=20 "
    "-r front/rgb:=/camera/color/image_raw -r front/camera_info:=/camera/color/camera_info",
)
def record(context: typer.Context) -> None:
    """Run the recorder until Ctrl-C. Takes ROS's own arguments, with or without --ros-args."""
    from robot_vision.ros.demonstrations.node import record as run_recorder

    raise typer.Exit(run_recorder(context.args))


@app.command()
def episode(
    order: Annotated[Order, typer.Argument(help="success and failure end the episode")],
    instruction: Annotated[str, typer.Argument(help="the instruction; with begin")] = "",
    recorder: Annotated[str, typer.Option(help="full name of the node")] = "/demonstrations",
) -> None:
    """Begin an episode in the recorder, end it as a success or a failure, or discard it."""
    from robot_vision.ros.demonstrations.operator import give

    if instruction and order is not Order.begin:
        raise ConfigError(f"--instruction is only for begin, not {order.value}")
    say(give(order.value, instruction=instruction, recorder=recorder))


@app.command()
def info(folder: Folder) -> None:
    """Contents of a dataset: episodes, numbers with units, cameras."""
    from robot_vision.datasets.lerobot.dataset import Dataset
    from robot_vision.datasets.lerobot.form.features import words_of

    with Dataset(folder) as dataset:
        frames, seconds = len(dataset), len(dataset) / dataset.fps
        say(
            f"{len(dataset.episodes)} episodes, {frames} frames, {seconds:.1f} s at "
            f"{dataset.fps} Hz, {_megabytes(folder):.1f} MB; {dataset.info['codebase_version']}"
        )
        features = Table(Column("feature", no_wrap=True), "type", "shape", "names", "units")
        for name, feature in dataset.features.items():
            units = dataset.units.get(name, ())
            features.add_row(
                name,
                feature["dtype"],
                "×".join(str(n) for n in feature["shape"]),
                brief(" ".join(words_of(feature.get("names")))),
                brief(" ".join(dict.fromkeys(units))),
            )
        episodes = Table("episode", "frames", "instruction", "success", "lost", "notes")
        for one in dataset.episodes[:_MOST_ROWS]:
            record = one.record
            episodes.add_row(
                str(one.index),
                str(one.length),
                brief(one.instruction),
                _yes_no(record.success if record else None),
                str(record.lost_frames) if record else "",
                brief("; ".join(f"{n}: {c}" for n, c in record.notes.items())) if record else "",
            )
        left_out = len(dataset.episodes) - _MOST_ROWS
    console = Screen()
    console.print(features)
    console.print(episodes)
    if left_out > 0:
        console.print(f"and {left_out} more episodes")


@app.command()
def check(
    folder: Folder,
    every_image: Annotated[
        bool, typer.Option(help="decode all images instead of two per video")
    ] = False,
    repair: Annotated[bool, typer.Option(help="recover interrupted episodes first")] = False,
) -> None:
    """List all faults of a dataset; exit status 1 if there are any."""
    from robot_vision.demonstrations.check import problems
    from robot_vision.demonstrations.writing.writer import DatasetWriter

    if repair:
        with DatasetWriter(folder) as writer:
            for report in writer.recovered:
                say(report)
    found = problems(folder, every_image=every_image)
    for problem in found:
        say(problem)
    say(f"{folder}: {len(found)} problems" if found else f"{folder}: no problems")
    raise typer.Exit(1 if found else 0)


@app.command()
def export(
    folder: Folder,
    out: Annotated[Path, typer.Argument(help="new folder")],
    only_success: Annotated[bool, typer.Option(help="export successful episodes only")] = False,
) -> None:
    """Copy a dataset to LeRobot's older format v2.1."""
    from robot_vision.demonstrations.export import export_v21

    say(f"{export_v21(folder, out, only_success=only_success)} episodes in {out}")


@app.command()
def generate(
    out: Annotated[Path, typer.Option(help="folder of the dataset; an existing one is continued")],
    episodes: Annotated[
        int, typer.Option(min=1, help="total number of episodes in the dataset")
    ] = 10,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    split: Annotated[str, typer.Option(help="train, val or test")] = "train",
    task: Annotated[
        list[str] | None,
        typer.Option(help="lift (a single object), pick, put, push; several alternate"),
    ] = None,
    things: Annotated[
        str,
        typer.Option(
            help="objects on the table, such as 1..3; empty: 2 to 6, including distractors"
        ),
    ] = "",
    size: Annotated[str, typer.Option(help="image size of the front camera")] = "416x320",
    wrist_size: Annotated[str, typer.Option(help="image size of the wrist camera")] = "208x160",
    wrist: Annotated[bool, typer.Option(help="also record the wrist camera")] = True,
    depth: Annotated[bool, typer.Option(help="also record depth")] = True,
    fixed_camera: Annotated[
        bool | None,
        typer.Option(
            help="keep the front camera at its nominal pose in all episodes, or vary it (the "
            "default; with --policy: as in the policy's training)"
        ),
    ] = None,
    noise: Annotated[
        float,
        typer.Option(
            min=0, max=3, help="frequency of mishaps to recover from: 1: normal, 0: none"
        ),
    ] = 1.0,
    wordings: Annotated[
        int, typer.Option(min=1, max=50, help="paraphrases of the instruction stored per episode")
    ] = 6,
    policy: Annotated[
        str, typer.Option(help="let this policy act while the expert labels its states")
    ] = "",
    expert_share: Annotated[
        float, typer.Option(min=0, max=1, help="share of the time that the expert acts instead")
    ] = 0.3,
    processes: Annotated[int, typer.Option(min=0, help="0: one per core")] = 0,
) -> None:
    """Record the simulated robot's expert performing tasks."""
    from robot_vision.commands.scenes import parse_size, parse_split
    from robot_vision.simulation.robot.episode import Noise
    from robot_vision.simulation.robot.recipe import DemonstrationRecipe, parse_tasks, parse_things

    recipe = DemonstrationRecipe(
        seed=seed,
        split=parse_split(split),
        tasks=parse_tasks(task or []),
        things=parse_things(things),
        size_px=parse_size(size),
        wrist_size_px=parse_size(wrist_size) if wrist else None,
        depth=depth,
        noise=Noise().scaled(noise),
        wordings=wordings,
        fixed_camera=bool(fixed_camera),
    )
    record_one = None
    if policy:
        from robot_vision.rollouts.collecting.corrections import led_by, record_corrected

        recipe = led_by(policy, expert_share, recipe, fixed_camera=fixed_camera)
        record_one = record_corrected
    _demonstrate(out, recipe, episodes=episodes, processes=processes, record=record_one)
    say(_summary(out))


def _demonstrate(
    out: Path,
    recipe: "DemonstrationRecipe",
    *,
    episodes: int,
    processes: int,
    record: "Callable[[Job], Path] | None",
) -> None:
    """Record the episodes, with a bar; `processes` 0: one per core."""
    from robot_vision.commands.scenes import progress_bar
    from robot_vision.simulation.robot.demonstrate import demonstrate

    with progress_bar() as progress:
        bar = progress.add_task("episodes", total=episodes)
        demonstrate(
            out,
            recipe,
            episodes=episodes,
            processes=processes or os.cpu_count() or 1,
            on_progress=lambda done: progress.update(bar, completed=done),
            record=record,
        )


def _summary(out: Path) -> str:
    from robot_vision.datasets.lerobot.dataset import Dataset

    with Dataset(out) as dataset:
        records = [episode.record for episode in dataset.episodes]
        succeeded = sum(record is not None and record.success is True for record in records)
        return (
            f"{succeeded} of {len(records)} episodes succeeded; {len(dataset)} frames, "
            f"{_megabytes(out):.1f} MB in {out}"
        )


@app.command()
def study(
    dataset: Annotated[Path, typer.Argument(help="any dataset: LeRobot or RLDS")],
    meaning: Annotated[
        Path | None,
        typer.Option(help="YAML file with the meaning of its numbers; may be incomplete"),
    ] = None,
    write: Annotated[
        Path | None, typer.Option(help="new YAML file to complete, with everything known so far")
    ] = None,
    fps: Annotated[
        float, typer.Option(min=0, help="rate of a dataset that does not state it")
    ] = 0.0,
) -> None:
    """Report a dataset's contents, the meaning of its numbers, missing information and suspected
    faults.

    Exit status 1 if something is missing or wrong.
    """
    from robot_vision.commands.demonstration_study import run_study

    raise typer.Exit(run_study(dataset, meaning=meaning, write=write, fps=fps))


def _megabytes(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def _yes_no(success: bool | None) -> str:
    return {None: "unknown", True: "yes", False: "no"}[success]
