"""Describes a model that no format reads, and suggests what would work."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import onnxruntime as ort

from robot_vision.formats.registry import FORMATS
from robot_vision.importing.reading.file_facts import FileFacts

Shapes = Mapping[str, tuple[int, ...]]


class Look(NamedTuple):
    """A kind of model as text, formats that read it (if any), and advice."""

    words: str
    formats: tuple[str, ...]
    advice: str


_EXPORT_PLAIN = "export it for plain detection"
_TASKS = {
    "segment": Look("a YOLO segmentation model", ("yolo_seg",), _EXPORT_PLAIN),
    "pose": Look("a YOLO pose model", ("yolo_pose",), _EXPORT_PLAIN),
    "obb": Look("a YOLO model of oriented boxes", ("yolo_obb",), _EXPORT_PLAIN),
    "classify": Look("a classifier", ("classification",), ""),
}
_END_TO_END = Look(
    "an end-to-end detector with suppression inside (YOLOv10, YOLO26, nms=True): rows of box, "
    "score and class",
    ("end_to_end",),
    "export it with nms=False",
)
_YOLOV5 = Look("YOLOv5: rows of box, objectness and class scores", ("yolov5",), "")


def look_of(shapes: Shapes, facts: FileFacts, classes: int, *, numbers: Sequence[str] = ()) -> str:
    """One sentence about a model with outputs of these `shapes`; empty if unknown.

    `numbers` are those of integers, `classes` the number of names.
    """
    look = _of_whole_pictures(shapes, classes, numbers) or _TASKS.get(facts.task)
    look = look or _by_shape(list(shapes.values()), classes, facts)
    if look is None:
        return ""
    serving = [name for name in look.formats if name in set(FORMATS)]
    what = f"use --format {serving[0]}" if serving else look.advice
    return f"this looks like {look.words}" + (f": {what}" if what else "")


def declared_shapes(session: ort.InferenceSession) -> dict[str, tuple[int, ...]]:
    """Shapes of the outputs by name, as the file declares them; 0 for open axes."""
    return {
        str(output.name): tuple(n if isinstance(n, int) else 0 for n in output.shape)
        for output in session.get_outputs()
    }


def describe_shapes(shapes: Shapes) -> str:
    """Outputs and their shapes as text."""
    return ", ".join(f"{name} {list(shape)}" for name, shape in shapes.items())


def number_maps(session: ort.InferenceSession) -> list[str]:
    """Outputs that are maps of integers, like class maps."""
    return [
        str(output.name)
        for output in session.get_outputs()
        if len(output.shape) in (3, 4) and "int" in str(output.type)
    ]


def _of_whole_pictures(shapes: Shapes, classes: int, numbers: Sequence[str]) -> Look | None:
    """A classifier, or a map of class numbers, that lacks the names of its classes."""
    if len(shapes) != 1:
        return None
    ((name, shape),) = shapes.items()
    names = f"there are {classes} names" if classes else "it has no names"
    ask = f"{names}, so give one for each class (--classes names.txt)"
    if name in numbers:
        return Look("a segmentation model that gives each pixel's class number", (), ask)
    if len(shape) == 2 and shape[0] in (0, 1) and shape[1] != classes:
        return Look(f"a classifier of {shape[1]} classes", (), ask)
    return None


def _by_shape(shapes: Sequence[tuple[int, ...]], classes: int, facts: FileFacts) -> Look | None:
    boxes = [shape for shape in shapes if len(shape) == 3 and shape[0] == 1]
    maps = [shape for shape in shapes if len(shape) == 4 and shape[0] == 1]
    if boxes and any(shape[1] == 32 for shape in maps) and len(shapes) == 2:
        return _TASKS["segment"]
    if len(shapes) == 1 and boxes:
        _, short, long = boxes[0][0], min(boxes[0][1:]), max(boxes[0][1:])
        if short == 6 and boxes[0][2] == 6 and (long <= 1000 or facts.has_nms):
            return _END_TO_END
        if short == 56:
            return _TASKS["pose"]
        if boxes[0][2] == 5 + classes < boxes[0][1] and classes:
            return _YOLOV5
        if boxes[0][1] == 5 + classes < boxes[0][2] and classes:
            return _TASKS["obb"]
    return None
