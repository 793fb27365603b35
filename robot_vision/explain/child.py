"""Computes explanations for the console: `python -m … MODEL`, a process until its input ends.

It runs at the lowest priority with one thread, so that it does not slow the pipeline. A job
arrives on standard input and its answer goes to standard output (`core/files/pipe_message`): a
header with `width_px`, `height_px`, `target` and `ways`, and the picture (RGB); for a policy
`inputs` (name, type and shape of each block), `camera`, `target` and `ways`. The answer's header
has the target's `words`, its `box_px` in the picture and `maps`, each with a block of bytes 0 to
255 at the picture's size, or with the reason why it is `refused`.
"""

import os
import sys
from contextlib import suppress
from typing import Any

import numpy as np
import torch

from robot_vision.core.errors import RobotVisionError
from robot_vision.core.files.pipe_message import read_message, write_message
from robot_vision.explain.answer import answered, usual_ways
from robot_vision.explain.asking import ask
from robot_vision.explain.opening.policy import Moment, is_policy, open_policy
from robot_vision.explain.opening.subject import Subject, open_subject
from robot_vision.explain.question import Question

_LEAST_PRIORITY = 19


def main() -> None:
    # Output of libraries must not mix with the messages.
    out = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    _stand_back()
    try:
        name = sys.argv[1]
        subject = open_policy(name) if is_policy(name) else open_subject(name)
    except (RobotVisionError, OSError) as error:
        write_message(out, {"problem": str(error)})
        return
    write_message(out, {"ready": subject.name, "classes": list(subject.classes)})
    while (job := read_message(sys.stdin.buffer)) is not None:
        write_message(out, *_answer(subject, *job))


def _stand_back() -> None:
    """Use only idle processor time."""
    os.nice(_LEAST_PRIORITY)
    with suppress(OSError, AttributeError):  # not on every system
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    torch.set_num_threads(1)


def _answer(
    subject: Subject, job: dict[str, Any], blocks: list[bytes]
) -> tuple[dict[str, Any], list[bytes]]:
    try:
        asked = _of_policy if "inputs" in job else _of_picture
        question = asked(subject, job, blocks)
        answers = answered(question, job["ways"] or usual_ways(question))
    except RobotVisionError as error:
        return {"problem": str(error)}, []
    except Exception as error:  # any model may fail: the next question is still answered
        return {"problem": f"it failed: {type(error).__name__}: {error}"}, []
    maps = [
        {
            "way": one.way,
            "about": one.about,
            "checked": one.checked,
            "refused": one.refused,
            "elapsed_s": round(one.elapsed_s, 3),
        }
        for one in answers
    ]
    pictures = [
        (255 * one.heat.clip(0, 1)).astype(np.uint8).tobytes() if one.heat is not None else b""
        for one in answers
    ]
    header = {"words": question.target.words, "box_px": question.box_in_view_px, "maps": maps}
    return header, pictures


def _of_picture(subject: Subject, job: dict[str, Any], blocks: list[bytes]) -> Question:
    shape = (job["height_px"], job["width_px"])
    rgb = np.frombuffer(blocks[0], np.uint8).reshape(*shape, 3)
    depth_m = np.frombuffer(blocks[1], np.float32).reshape(shape) if len(blocks) > 1 else None
    return ask(subject, rgb, job["target"], depth_m=depth_m)


def _of_policy(subject: Subject, job: dict[str, Any], blocks: list[bytes]) -> Question:
    inputs = {
        name: torch.from_numpy(np.frombuffer(block, kind).reshape(shape).copy())
        for (name, kind, shape), block in zip(job["inputs"], blocks, strict=True)
    }
    moment = Moment(subject=subject, inputs=inputs, words=())
    return moment.asked(job["target"], camera=job["camera"])


if __name__ == "__main__":
    main()
