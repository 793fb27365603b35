"""`robot-vision demonstrations …`: record a robot's topics, look at datasets, check, export."""

import os
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Column, Table

from robot_vision.core.errors import ConfigError
from robot_vision.core.foreign import brief
from robot_vision.terminal import Screen, say

app = typer.Typer(
    no_args_is_help=True, help="Record demonstrations as LeRobot datasets, and check them."
)

_MOST_ROWS = 1000

Folder = Annotated[Path, typer.Argument(help="folder of a dataset")]


class Order(str, Enum):
    """What an operator may want."""

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
    instruction: Annotated[str, typer.Argument(help="what is to be done; with begin")] = "",
    recorder: Annotated[str, typer.Option(help="full name of the node")] = "/demonstrations",
) -> None:
    """Have the recorder begin an episode, end it as a success or a failure, or discard it."""
    from robot_vision.ros.demonstrations.operator import give

    if instruction and order is not Order.begin:
        raise ConfigError(f"an instruction goes with begin, not with {order.value}")
    say(give(order.value, instruction=instruction, recorder=recorder))


@app.command()
def info(folder: Folder) -> None:
    """What is in a dataset: its episodes, numbers with units, cameras."""
    from robot_vision.datasets.lerobot.dataset import Dataset
    from robot_vision.datasets.lerobot.features import words_of

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
        console.print(f"and {left_out} episodes more")


@app.command()
def check(
    folder: Folder,
    every_image: Annotated[bool, typer.Option(help="decode all images, not two a video")] = False,
    repair: Annotated[bool, typer.Option(help="recover interrupted episodes first")] = False,
) -> None:
    """Say all that is wrong with a dataset; the exit status is 1 if anything is."""
    from robot_vision.demonstrations.check import problems
    from robot_vision.demonstrations.writing.writer import DatasetWriter

    if repair:
        with DatasetWriter(folder) as writer:
            for report in writer.recovered:
                say(report)
    found = problems(folder, every_image=every_image)
    for problem in found:
        say(problem)
    say(f"{folder}: {len(found)} problems" if found else f"{folder}: nothing is wrong")
    raise typer.Exit(1 if found else 0)


@app.command()
def export(
    folder: Folder,
    out: Annotated[Path, typer.Argument(help="new folder")],
    only_success: Annotated[bool, typer.Option(help="leave out all other episodes")] = False,
) -> None:
    """Copy a dataset in LeRobot's older version v2.1."""
    from robot_vision.demonstrations.export import export_v21

    say(f"{export_v21(folder, out, only_success=only_success)} episodes in {out}")


@app.command()
def generate(
    out: Annotated[Path, typer.Option(help="folder of the dataset; continued if it is there")],
    episodes: Annotated[int, typer.Option(min=1, help="that the dataset is to have")] = 10,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    split: Annotated[str, typer.Option(help="train, val or test")] = "train",
    task: Annotated[
        list[str] | None,
        typer.Option(help="lift (the only thing), pick, put, push; several take turns"),
    ] = None,
    things: Annotated[
        str, typer.Option(help="how many on the table: 1..3; empty: 2 to 6, not all meant")
    ] = "",
    size: Annotated[str, typer.Option(help="of the front camera")] = "416x320",
    wrist_size: Annotated[str, typer.Option(help="of the wrist camera")] = "208x160",
    wrist: Annotated[bool, typer.Option(help="record the wrist camera as well")] = True,
    depth: Annotated[bool, typer.Option(help="record depth as well")] = True,
    fixed_camera: Annotated[
        bool | None,
        typer.Option(
            help="the front camera at its usual place in all episodes, or somewhere near it (the "
            "default, but with --policy: as the policy learnt it)"
        ),
    ] = None,
    noise: Annotated[
        float, typer.Option(min=0, max=3, help="mishaps to recover from: 1 as usual, 0 none")
    ] = 1.0,
    wordings: Annotated[
        int, typer.Option(min=1, max=50, help="sentences of one meaning that an episode keeps")
    ] = 6,
    policy: Annotated[
        str, typer.Option(help="let this policy lead and the expert say what it should have done")
    ] = "",
    expert_share: Annotated[
        float, typer.Option(min=0, max=1, help="of the time that the expert leads in its place")
    ] = 0.3,
    processes: Annotated[int, typer.Option(min=0, help="0: one per core")] = 0,
) -> None:
    """Have the simulated robot's expert do tasks, and record it."""
    from robot_vision.commands.scenes import parse_size, parse_split, progress_bar
    from robot_vision.simulation.robot.demonstrate import demonstrate
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
        from robot_vision.rollouts.corrections import led_by, record_corrected

        recipe = led_by(policy, expert_share, recipe, fixed_camera=fixed_camera)
        record_one = record_corrected
    with progress_bar() as progress:
        bar = progress.add_task("episodes", total=episodes)
        demonstrate(
            out,
            recipe,
            episodes=episodes,
            processes=processes or os.cpu_count() or 1,
            on_progress=lambda done: progress.update(bar, completed=done),
            record=record_one,
        )
    say(_summary(out))


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
    dataset: Annotated[Path, typer.Argument(help="dataset of anybody: LeRobot or RLDS")],
    meaning: Annotated[
        Path | None, typer.Option(help="YAML file: what its numbers mean; may be incomplete")
    ] = None,
    write: Annotated[
        Path | None, typer.Option(help="new YAML file to fill in, with what is known")
    ] = None,
    fps: Annotated[float, typer.Option(min=0, help="rate of a set that does not say it")] = 0.0,
) -> None:
    """Say what a dataset holds, what its numbers mean, what is not said, and what looks wrong.

    The exit status is 1 where something is missing or wrong.
    """
    from robot_vision.commands.demonstration_study import run_study

    raise typer.Exit(run_study(dataset, meaning=meaning, write=write, fps=fps))


def _megabytes(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def _yes_no(success: bool | None) -> str:
    return {None: "unknown", True: "yes", False: "no"}[success]
