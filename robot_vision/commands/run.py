"""`robot-vision run`: the service without `ros2 launch`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from robot_vision.commands.allow_code import AllowCode
from robot_vision.commands.console import Host, Port, TokenFile, console_arguments
from robot_vision.core.files.code_permission import permit_code


def register(app: typer.Typer) -> None:
    """Add `run` to the command line."""
    app.command(
        context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
        epilog="Example: robot-vision run --params-file config/perception.yaml "
        "-p model:=yolox-nano -r rgb:=/camera/color/image_raw -r __ns:=/front",
    )(run)


def run(
    context: typer.Context,
    policy: Annotated[
        bool | None,
        typer.Option(
            "--policy/--no-policy",
            help="run the policy, too, or perception only; default: the policy if it can start",
        ),
    ] = None,
    source: Annotated[
        str, typer.Option(help="a camera without a driver: 0, /dev/video0, rtsp://…, a video file")
    ] = "",
    camera_info: Annotated[
        Path | None, typer.Option(help="calibration of the source: YAML of camera_calibration")
    ] = None,
    loop: Annotated[bool, typer.Option(help="restart a video file when it ends")] = False,
    console: Annotated[bool, typer.Option(help="also serve the web page and the API")] = False,
    console_host: Host = "127.0.0.1",
    console_port: Port = 8088,
    console_token_file: TokenFile = "",
    allow_code: AllowCode = False,
) -> None:
    """Run perception and policy in one process. Nothing moves before ~/enable is called.

    Takes ROS arguments, with or without --ros-args: --params-file FILE (parameters), -p
    NAME:=VALUE (for all nodes; policy:NAME:=VALUE for one), -r FROM:=TO (remapping).
    """
    from robot_vision.ros import run as nodes
    from robot_vision.ros.common.run import run as serve

    permit_code(allow_code)
    ros_args = list(context.args)
    make_nodes = {
        None: nodes.perception_and_policy_if_it_can,
        True: nodes.perception_and_policy,
        False: nodes.perception,
    }[policy]
    if source:
        make_nodes = _seeing_by(source, make_nodes, camera_info)
        ros_args = [*_source_arguments(ros_args, loop=loop), *ros_args]
    elif camera_info is not None or loop:
        raise typer.BadParameter("--camera-info and --loop need --source")
    if not console:
        raise typer.Exit(serve(ros_args, make_nodes))
    from robot_vision.ros.console.run import with_console

    ours = console_arguments(host=console_host, port=console_port, token_file=console_token_file)
    raise typer.Exit(serve([*ours, *ros_args], with_console(make_nodes)))


def _seeing_by(source: str, make_nodes: Any, calibration: Path | None) -> Any:
    from robot_vision.capture.address import address_of
    from robot_vision.core.errors import ConfigError
    from robot_vision.ros.source.node import with_source

    try:
        address = address_of(source)
    except ConfigError as error:
        raise typer.BadParameter(str(error)) from error
    return with_source(make_nodes, address, calibration=calibration)


def _source_arguments(ros_args: list[str], *, loop: bool) -> list[str]:
    """Disable waiting for depth, unless the user says where it comes from."""
    arguments = ["-p", f"source:loop:={str(loop).lower()}"]
    if not any("input.depth_transport:=" in argument for argument in ros_args):
        arguments += ["-p", "perception:input.depth_transport:=none"]
    return arguments
