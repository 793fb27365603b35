"""`robot-vision console`: the web page for a running graph."""

from typing import Annotated

import typer

from robot_vision.commands.allow_code import AllowCode
from robot_vision.core.files.code_permission import permit_code

Host = Annotated[str, typer.Option(help="address to listen on; any but loopback needs a token")]
Port = Annotated[int, typer.Option(help="TCP port; 0: a free one", min=0, max=65535)]
TokenFile = Annotated[str, typer.Option(help="file whose first line is the token")]
IndexFolder = Annotated[
    str, typer.Option(help="folder of `similar index`, to show similar frames")
]

AnswersFolder = Annotated[
    str, typer.Option(help="folder of `bench multimodal`, to show models' answers")
]


def register(app: typer.Typer) -> None:
    """Add `console` to the command line."""
    app.command(
        context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
        epilog="Example: robot-vision console --port 8088 -r rgb:=/camera/color/image_raw",
    )(console)


def console(
    context: typer.Context,
    host: Host = "127.0.0.1",
    port: Port = 8088,
    token_file: TokenFile = "",
    index: IndexFolder = "",
    multimodal: AnswersFolder = "",
    allow_code: AllowCode = False,
) -> None:
    """Show a running perception node and policy in a browser, from their topics.

    Also takes ROS arguments: -p NAME:=VALUE (one parameter), -r FROM:=TO (remapping).
    """
    from robot_vision.ros.common.run import run
    from robot_vision.ros.console.run import console_node

    permit_code(allow_code)
    ours = console_arguments(
        host=host, port=port, token_file=token_file, index=index, multimodal=multimodal
    )
    raise typer.Exit(run([*ours, *context.args], lambda: [console_node()]))


def console_arguments(
    *, host: str, port: int, token_file: str, index: str = "", multimodal: str = ""
) -> list[str]:
    """ROS arguments of the node `console`."""
    arguments = ["-p", f"console:host:={host}", "-p", f"console:port:={port}"]
    if token_file:
        arguments += ["-p", f"console:token_file:={token_file}"]
    if index:
        arguments += ["-p", f"console:index:={index}"]
    if multimodal:
        arguments += ["-p", f"console:multimodal:={multimodal}"]
    return arguments
