"""`~/objects/json` and `~/grounded/json` of another process, validated: untrusted input."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from annotated_types import Len
from jaxtyping import Float
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from robot_vision.core.cameras.geometry import invert_transform, transform_points
from robot_vision.core.files.foreign import parse_json
from robot_vision.core.parameters.config import MOST_PROMPT
from robot_vision.core.types import Tracks, TrackState
from robot_vision.ros.middleware.bounded import MOST_FRAME_ID_CHARACTERS

_MOST_OBJECTS = 1000
_MOST_NOTES = 100
_NAMED = 5
_NAME = Field(max_length=MOST_FRAME_ID_CHARACTERS)
_INT64 = Field(ge=-(2**63), lt=2**63)
# Metres, pixels, seconds: larger ones overflow when squared as 32-bit floats.
_NUMBER = Field(ge=-1e9, le=1e9, allow_inf_nan=False)

Name = Annotated[str, _NAME]
Whole = Annotated[int, _INT64]
Number = Annotated[float, _NUMBER]
Words = Annotated[str, Field(max_length=MOST_PROMPT)]
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


class _Phrase(_Lenient):
    phrase: Words
    unknown_words: list[Words] = Field(max_length=MOST_PROMPT)
    problem: Annotated[str, Field(max_length=1000)]


class _Grounded(_Result):
    prompt: Words
    phrases: list[_Phrase] = Field(max_length=MOST_PROMPT)


def read_objects(text: str) -> dict[str, Any]:
    """The text's content; raises `ValueError` that names the first fault."""
    return _read(text, _Result, of="objects/json")


def read_grounded(text: str) -> dict[str, Any]:
    """The same of `~/grounded/json`: classes of its objects are phrases that are looked for."""
    result = _read(text, _Grounded, of="grounded/json")
    sought = {each["phrase"] for each in result["phrases"] if not each["problem"]}
    if unknown := {row["class"] for row in result["objects"]} - sought:
        raise ValueError(
            f"grounded/json: {sorted(unknown)[:3]} are not phrases; expected {sorted(sought)[:3]}"
        )
    return result


def _read(text: str, kind: type[_Result], *, of: str) -> dict[str, Any]:
    content = parse_json(text, what=of)
    try:
        result = kind.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ValueError(f"{of}: {where}: {first['msg']}") from None
    states = {state.name.lower() for state in TrackState}
    if unknown := {row.state for row in result.objects} - states:
        raise ValueError(f"{of}: states {sorted(unknown)[:3]}; known: {sorted(states)}")
    return result.model_dump(by_alias=True)


@dataclass(frozen=True, eq=False)
class Place:
    """The camera, and where it is in the base frame if objects are given there."""

    camera_frame: str
    base_frame: str
    base_from_camera: Float[np.ndarray, "4 4"] | None


def tracks_of(result: dict[str, Any], class_names: Sequence[str], place: Place) -> Tracks:
    """What `read_objects` or `read_grounded` gave, along the camera's axes.

    Raises `ValueError` for a class that is not among `class_names`, and another frame.
    """
    rows = result["objects"]
    unknown = {row["class"] for row in rows} - set(class_names)
    if unknown:
        some = sorted(unknown)[:_NAMED]
        raise ValueError(f"classes {some} ({len(unknown)}) are not of {result['model']}")
    position, velocity, covariance, velocity_covariance = _in_camera(result, place)
    return Tracks(
        stamp_ns=result["stamp_ns"],
        track_id=np.array([row["id"] for row in rows], np.int64),
        state=np.array([TrackState[row["state"].upper()] for row in rows], np.int64),
        box_xyxy_px=_column(rows, "box_xyxy_px", 4),
        score=np.array([row["score"] for row in rows], np.float32),
        class_id=np.array([class_names.index(row["class"]) for row in rows], np.int64),
        position_in_camera_m=position,
        position_covariance_m2=covariance,
        velocity_in_camera_mps=velocity,
        velocity_covariance_m2ps2=velocity_covariance,
        size_m=_column(rows, "size_m", 3),
        age_s=np.array([row["age_s"] for row in rows], np.float32),
        unseen_s=np.array([row["unseen_s"] for row in rows], np.float32),
        detection_index=np.full(len(rows), -1, np.int64),
        epoch=result["epoch"],
    )


def _in_camera(
    result: dict[str, Any], place: Place
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Positions, velocities and their covariances along the camera's axes."""
    rows = result["objects"]
    position, velocity = _column(rows, "position_m", 3), _column(rows, "velocity_mps", 3)
    covariance = _column(rows, "position_covariance_m2", 3, 3)
    velocity_covariance = _column(rows, "velocity_covariance_m2ps2", 3, 3)
    if result["frame_id"] == place.camera_frame:
        return position, velocity, covariance, velocity_covariance
    base_from_camera = place.base_from_camera
    if result["frame_id"] != place.base_frame or base_from_camera is None:
        raise ValueError(
            f"objects are in frame {result['frame_id']!r}; expected the camera's "
            f"({place.camera_frame!r}), or {place.base_frame!r} with a known camera pose"
        )
    turn = base_from_camera[:3, :3]
    return (
        transform_points(invert_transform(base_from_camera), position).astype(np.float32),
        (velocity @ turn).astype(np.float32),
        (turn.T @ covariance @ turn).astype(np.float32),
        (turn.T @ velocity_covariance @ turn).astype(np.float32),
    )


def _column(rows: list[dict[str, Any]], key: str, *shape: int) -> np.ndarray:
    """A field of all rows, NaN where it is null."""
    unknown = np.full(shape, np.nan, np.float32)
    values = [unknown if row[key] is None else np.array(row[key], np.float32) for row in rows]
    return np.array(values, np.float32).reshape(len(rows), *shape)
