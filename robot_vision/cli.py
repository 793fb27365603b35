"""`robot-vision …`: each command is a file in `commands/` that is light to import."""

import sys
from io import TextIOWrapper

import typer

from robot_vision.commands import (
    bench,
    bench_console,
    bench_model,
    bench_vla,
    calibrate,
    compress,
    console,
    data,
    demo,
    demonstrations,
    doctor,
    explain,
    models,
    profile,
    replay,
    run,
    scenes,
    segment,
    serve,
    similar,
    soak,
    train,
    vla,
)
from robot_vision.core.errors import RobotVisionError
from robot_vision.terminal import say_error

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Perception for robots: run the service, replay bags, measure, train and export models.",
)

app.add_typer(scenes.app, name="scenes")
app.add_typer(calibrate.app, name="calibrate")
app.add_typer(data.app, name="data")
app.add_typer(demonstrations.app, name="demonstrations")
app.add_typer(models.app, name="models")
app.add_typer(serve.app, name="serve")
app.add_typer(explain.app, name="explain")
app.add_typer(profile.app, name="profile")
app.add_typer(similar.app, name="similar")
app.add_typer(vla.app, name="vla")
run.register(app)
doctor.register(app)
replay.register(app)
segment.register(app)
bench.register(app)
bench_model.register(bench.bench_app)
bench_vla.register(bench.bench_app)
bench_console.register(bench.bench_app)
demo.register(app)
console.register(app)
soak.register(app)
train.register(app)
compress.register(app)


def main() -> None:
    """Entry point: errors meant for the user are printed on one line, with exit status 2."""
    for stream in (sys.stdout, sys.stderr):  # unprintable characters become escapes
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        app()
    except (RobotVisionError, OSError) as error:
        say_error(error)
        sys.exit(2)
