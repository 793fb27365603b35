"""`~/task` of the simulated robot: the present task and how well the machine keeps up."""

from dataclasses import dataclass

from robot_vision.core.files.json_form import Figure, JsonForm, Total


@dataclass(frozen=True, kw_only=True)
class TaskStatus:
    """The task in words and by its objects, and whether it is done.

    `target` and `destination` are colour and class of an object, `things` those of all objects.
    `behind_s` is simulated time that was lost, `pictures_skipped` counts images that were not
    drawn in time, `commands_refused` commands that were not usable.
    """

    stamp_ns: int
    seed: int
    kind: str
    instruction: str
    target: str | None
    destination: str | None
    direction: str | None
    things: tuple[str, ...]
    time_s: Figure
    time_out_s: Figure
    success: bool
    behind_s: Figure
    pictures_skipped: Total
    commands_refused: Total


TASK_STATUS = JsonForm(TaskStatus, what="the simulated robot's task")
