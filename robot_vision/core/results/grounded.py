"""Objects that a prompt names in a frame, as rows of objects, to be shown, published and
tracked."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from robot_vision.core.results.objects import Objects, json_of, objects_of
from robot_vision.core.types import Perception


def grounded_part(perception: Perception) -> Perception | None:
    """The frame with the objects that a prompt names instead of the detector's, phrases as
    classes; None without a grounding model."""
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


def grounded_objects_of(part: Perception, *, frame_id: str) -> Objects:
    """Its tracks, in the frame in which objects are published."""
    camera = part.frame
    if frame_id == camera.frame_id:
        return objects_of(part)
    return objects_of(part, target_frame=frame_id, target_from_camera=camera.fixed_from_camera)


def grounded_json_of(
    objects: Objects, part: Perception, *, age_s: float, stage_s: Mapping[str, float]
) -> str:
    """`~/grounded/json`: as `~/objects/json`, with the prompt and the phrases that cannot be
    looked for."""
    assert part.grounding is not None
    prompt = part.grounding.found.prompt
    text: dict[str, Any] = json.loads(json_of(objects, part, age_s=age_s, stage_s=stage_s))
    text["prompt"] = prompt.text
    text["phrases"] = [
        {"phrase": p.text, "unknown_words": p.unknown_words, "problem": p.problem}
        for p in prompt.phrases
    ]
    return json.dumps(text)
