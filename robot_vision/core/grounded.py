"""What words name in a frame, as rows of objects: shown, published and kept as tracked objects."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from robot_vision.core.objects import Objects, json_of
from robot_vision.core.types import Perception


def grounded_part(perception: Perception) -> Perception | None:
    """The frame with what a prompt names in the place of the detector's objects, phrases as
    classes; None where nothing looks for words."""
    grounding = perception.grounding
    if grounding is None:
        return None
    return replace(
        perception,
        detections=grounding.found.detections,
        lifted=grounding.lifted,
        tracks=grounding.tracks,
        class_names=grounding.found.prompt.sought,
        model_id=grounding.found.model_id,
        notes=grounding.found.prompt.problems,
    )


def grounded_json_of(
    objects: Objects, part: Perception, *, age_s: float, stage_s: Mapping[str, float]
) -> str:
    """`~/grounded/json`: as `~/objects/json`, with the prompt and what it could not look for."""
    assert part.grounding is not None
    prompt = part.grounding.found.prompt
    text: dict[str, Any] = json.loads(json_of(objects, part, age_s=age_s, stage_s=stage_s))
    text["prompt"] = prompt.text
    text["phrases"] = [
        {"phrase": p.text, "unknown_words": p.unknown_words, "problem": p.problem}
        for p in prompt.phrases
    ]
    return json.dumps(text)
