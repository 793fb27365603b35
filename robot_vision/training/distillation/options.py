"""What a recipe says of a teacher."""

from typing import Literal

from robot_vision.core.params import Params, param

Lesson = Literal["logits", "features", "boxes"]


class DistillOptions(Params):
    """A teacher, and what is learnt from it. With weight 0 there is none."""

    teacher: str = param("", "folder of a run, or a bundle by name or folder; empty: no teacher")
    weight: float = param(
        0.5, "share of the loss that is the teacher's; the task's own has the rest", ge=0, le=1
    )
    temperature: float = param(4.0, "softens both answers of `logits`", gt=0, le=100)
    what: list[Lesson] = param(["logits"], "what is learnt: logits, features, boxes", min_length=1)
    min_score: float = param(0.5, "of `boxes`: those less sure are not learnt", gt=0, le=1)

    @property
    def is_active(self) -> bool:
        return bool(self.teacher) and self.weight > 0
