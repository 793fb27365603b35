"""A recipe's options for a teacher."""

from typing import Literal

from robot_vision.core.parameters.params import Params, param

Lesson = Literal["logits", "features", "boxes"]


class DistillOptions(Params):
    """A teacher, and the kinds of teaching. With weight 0 there is none."""

    teacher: str = param("", "folder of a run, or a bundle by name or folder; empty: no teacher")
    weight: float = param(
        0.5, "share of the loss from the teacher; the rest is the task's own", ge=0, le=1
    )
    temperature: float = param(4.0, "softens both answers of `logits`", gt=0, le=100)
    what: list[Lesson] = param(
        ["logits"], "kinds of teaching: logits, features, boxes", min_length=1
    )
    min_score: float = param(
        0.5, "of `boxes`: those with a lower score are not learnt", gt=0, le=1
    )

    @property
    def is_active(self) -> bool:
        return bool(self.teacher) and self.weight > 0
