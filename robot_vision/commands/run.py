"""`robot-vision run`: the service without `ros2 launch`."""

import typer


def register(app: typer.Typer) -> None:
    """Add `run` to the command line."""
    app.command(
        context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
        epilog="Example: robot-vision run --params-file config/perception.yaml "
        "-p model:=yolox-nano -r rgb:=/camera/color/image_raw -r __ns:=/front",
    )(run)


def run(context: typer.Context) -> None:
    """Run the perception node. Takes ROS's own arguments, with or without --ros-args.

    --params-file FILE (parameters), -p NAME:=VALUE (one parameter), -r FROM:=TO (remapping).
    """
    from robot_vision.ros.run import run as run_nodes

    ros_args = [argument for argument in context.args if argument != "--ros-args"]
    raise typer.Exit(run_nodes(["--ros-args", *ros_args]))
