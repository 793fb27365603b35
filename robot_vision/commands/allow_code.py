"""The option `--allow-code` of every command that loads models."""

from typing import Annotated

import typer

from robot_vision.core.files.code_permission import OPTION

AllowCode = Annotated[
    bool,
    typer.Option(
        OPTION,
        help="load models that can run arbitrary code (.pt2, .engine); only if you trust their "
        "author",
    ),
]
