"""Answers for a live frame, as JSON and as a label map."""

import json

import numpy as np
from jaxtyping import UInt8

from robot_vision.segment.live.holding import Answer
from robot_vision.segment.output import MOST_LABELS, described, label_image


def answer_json(answer: Answer, *, model_id: str) -> str:
    """`label` is the value of an object's pixels in the label map."""
    perception = answer.perception
    height_px, width_px = perception.frame.rgb.shape[:2]
    return json.dumps(
        {
            "stamp_ns": perception.stamp_ns,
            "frame_id": perception.frame.frame_id,
            "width_px": width_px,
            "height_px": height_px,
            "model": model_id,
            "request": answer.request,
            "problems": list(answer.problems),
            "segments": [
                {
                    "label": label,
                    "id": shown.id,
                    "how": shown.how,
                    "mask_age_s": round(shown.mask_age_s, 3),
                    "track_id": shown.track_id,
                    **described(shown.segment),
                }
                for label, shown in enumerate(answer.shown[:MOST_LABELS], start=1)
            ],
        }
    )


def answer_labels(answer: Answer) -> UInt8[np.ndarray, "h w"]:
    """The label map; zeros where there is no object."""
    if not answer.shown:
        return np.zeros(answer.perception.frame.rgb.shape[:2], np.uint8)
    return label_image([shown.segment for shown in answer.shown[:MOST_LABELS]])
