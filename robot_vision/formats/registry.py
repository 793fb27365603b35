"""The registry of formats: every module of `robot_vision.formats` registers its own."""

from robot_vision.core.registry import Registry
from robot_vision.formats.format import Format

FORMATS: Registry[Format] = Registry("format", package="robot_vision.formats")


def register_format(format: Format) -> None:
    """Register a format under its name."""
    FORMATS.register(format.name)(format)


def formats_of_tasks() -> dict[str, tuple[str, ...]]:
    """The names of the formats, by task."""
    tasks: dict[str, tuple[str, ...]] = {}
    for name in FORMATS:
        task = FORMATS.get(name).task
        tasks[task] = (*tasks.get(task, ()), name)
    return tasks
