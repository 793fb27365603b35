"""Questions about what is inside a network, which need no target."""

import numpy as np
from jaxtyping import Float32, UInt8

from robot_vision.core.types import Camera
from robot_vision.explain.opening.subject import Subject
from robot_vision.explain.question import Question
from robot_vision.explain.targets import NoTarget


def ask_nothing(
    subject: Subject,
    rgb: UInt8[np.ndarray, "h w 3"],
    *,
    depth_m: Float32[np.ndarray, "hd wd"] | None = None,
    camera: Camera | None = None,
) -> Question:
    """A picture in a model without a target, to see what is inside."""
    inputs, placement = subject.prepared(rgb, depth_m, camera)
    return Question(
        subject=subject,
        inputs=inputs,
        picture=subject.image.name,
        placement=placement,
        target=NoTarget(words="nothing"),
    )
