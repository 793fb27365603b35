"""Occlusion (arXiv:1311.2901): hides parts of the picture and runs the model again."""

import math

import numpy as np
import torch

from robot_vision.explain.filling import hidden, mean_color
from robot_vision.explain.heat import Heat, checked
from robot_vision.explain.question import Question, Way, register_way

# Size of windows as a share of the shorter side; they lie half a window apart.
_PART = 1 / 6
_LEAST_PX = 4


def _occlusion(question: Question) -> Heat:
    picture, (height, width) = question.inputs[question.picture], question.size
    side = max(_LEAST_PX, round(min(height, width) * _PART))
    step = max(1, side // 2)
    rows, columns = (math.ceil(length / step) for length in (height, width))
    masks = np.zeros((rows * columns, height, width), bool)
    for row in range(rows):
        for column in range(columns):
            top, left = row * step - step // 2, column * step - step // 2
            window = slice(max(0, top), top + side), slice(max(0, left), left + side)
            masks[row * columns + column][window] = True
    color = mean_color(picture, question)
    before = question.shares(question.inputs)
    after = torch.cat(
        [
            question.shares(hidden(question, part, color))
            for part in torch.from_numpy(masks).split(16)
        ]
    )
    lost = (before - after).clamp(min=0).reshape(rows, columns)
    return checked(
        lost.numpy(),
        about=f"loss of confidence with {side} px of {width}×{height} hidden",
        empty=f"confidence in {question.target.words} does not fall wherever something is hidden",
        # The last windows of a side that is no multiple of the step go on beyond the picture.
        margin_px=(rows * step - height, columns * step - width),
    )


register_way(
    Way(
        name="occlusion",
        about="loss of confidence when a part is hidden: works for every model",
        explain=_occlusion,
        needs="nothing",
        paper="arXiv:1311.2901",
    )
)
