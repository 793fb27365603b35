"""`~/objects/json` of another process, validated: its sender is untrusted."""

from typing import Annotated, Any

from annotated_types import Len
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from robot_vision.core.foreign import parse_json
from robot_vision.core.types import TrackState
from robot_vision.ros.middleware.bounded import MOST_FRAME_ID_CHARACTERS

_MOST_OBJECTS = 1000
_MOST_NOTES = 100
_NAME = Field(max_length=MOST_FRAME_ID_CHARACTERS)
_INT64 = Field(ge=-(2**63), lt=2**63)
# Metres, pixels, seconds: larger ones overflow when squared as 32-bit floats.
_NUMBER = Field(ge=-1e9, le=1e9, allow_inf_nan=False)

Name = Annotated[str, _NAME]
Whole = Annotated[int, _INT64]
Number = Annotated[float, _NUMBER]
Three = Annotated[list[Number], Len(3, 3)]


class _Lenient(BaseModel):
    model_config = ConfigDict(extra="ignore")


class _Row(_Lenient):
    id: Whole
    class_: Name = Field(alias="class")
    score: Number
    state: Name
    position_m: Three | None
    position_covariance_m2: Annotated[list[Three], Len(3, 3)] | None
    velocity_mps: Three | None
    velocity_covariance_m2ps2: Annotated[list[Three], Len(3, 3)] | None
    size_m: Three | None
    box_xyxy_px: Annotated[list[Number], Len(4, 4)] | None
    age_s: Number
    unseen_s: Number


class _Result(_Lenient):
    stamp_ns: Whole
    frame_id: Name
    model: Name
    depth_source: Name | None
    epoch: Whole
    objects: list[_Row] = Field(max_length=_MOST_OBJECTS)
    notes: list[Annotated[str, Field(max_length=1000)]] = Field(max_length=_MOST_NOTES)


def read_objects(text: str) -> dict[str, Any]:
    """The text's content; raises `ValueError` that names the first fault."""
    content = parse_json(text, what="objects/json")
    try:
        result = _Result.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ValueError(f"objects/json: {where}: {first['msg']}") from None
    states = {state.name.lower() for state in TrackState}
    if unknown := {row.state for row in result.objects} - states:
        raise ValueError(f"objects/json: states {sorted(unknown)[:3]}; known: {sorted(states)}")
    return result.model_dump(by_alias=True)
