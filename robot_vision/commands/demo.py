"""`robot-vision demo`: see the service work without robot, camera, GPU or ROS installation."""

from pathlib import Path
from typing import Annotated

import typer

from robot_vision.commands.allow_code import AllowCode
from robot_vision.core.files.code_permission import permit_code


def register(app: typer.Typer) -> None:
    """Add `demo` to the command line."""
    app.command()(demo)


def demo(
    instruction: Annotated[
        str, typer.Option(help="instruction for the robot; default: a task for each scene")
    ] = "",
    recording: Annotated[
        bool, typer.Option(help="play the shipped recording instead of the simulated robot")
    ] = False,
    bag: Annotated[Path | None, typer.Option(help="RGB-D recording to play instead")] = None,
    model: Annotated[str, typer.Option(help="model bundle, for a recording")] = "",
    policy: Annotated[str, typer.Option(help="policy bundle; default: the shipped one")] = "",
    seconds: Annotated[
        float, typer.Option(help="duration; default: 60, or 12 with a recording", min=0)
    ] = 0.0,
    seed: Annotated[int, typer.Option(help="seed of the first scene", min=0)] = 0,
    speed: Annotated[
        float,
        typer.Option(
            help="simulated seconds per second; below 1 a slow machine keeps up", min=0.01, max=10
        ),
    ] = 1.0,
    out: Annotated[Path, typer.Option(help="folder for video, plot and summary")] = Path(
        "out/demo"
    ),
    allow_code: AllowCode = False,
) -> None:
    """A simulated robot follows instructions: perception and policy over real ROS 2.

    Writes a video with the objects drawn in, a plot of ages and a summary. Without rendering or a
    policy it says so, and plays the shipped recording into perception instead.
    """
    from robot_vision.demo.robot import CannotShow, RobotDemo, show_robot, why_not
    from robot_vision.demo.show import Demo, show
    from robot_vision.terminal import Screen

    permit_code(allow_code)
    console = Screen()
    reason = ""
    if not (recording or bag or model):
        reason = why_not(policy)
        if not reason:
            asked = RobotDemo(
                instruction=instruction,
                policy=policy,
                seconds=seconds or 60.0,
                out=out,
                seed=seed,
                speed=speed,
            )
            try:
                show_robot(asked, console)
                return
            except CannotShow as error:
                reason = str(error)
        console.print(f"no simulated robot: {reason}", style="yellow")
        console.print("playing the shipped recording instead")
    show(Demo(recording=bag, model=model, seconds=seconds or 12.0, out=out), console)
