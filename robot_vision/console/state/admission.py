"""Messages from topics, validated where they enter the console.

Anybody on the robot may publish. Unusable fields are left out, shown as unknown and counted; a
message without its essential fields is refused as a whole (`UnusableError`).
"""

import json
import math
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, TypeVar

from pydantic import ValidationError

from robot_vision.console.object_schema import GroundedView, ObjectsView
from robot_vision.console.problems import in_words
from robot_vision.console.schema import Diagnosis, Level
from robot_vision.core.errors import ForeignFileError, RobotVisionError
from robot_vision.core.files.foreign import parse_json
from robot_vision.core.results.policy_status import POLICY_STATUS, PolicyStatus

T = TypeVar("T")

UNKNOWN = "unknown"
_LONGEST_STATUS = 64_000
_LONGEST_OBJECTS = 2_000_000
_LONGEST_TEXT = 1_000
_LONGEST_NAME = 200
_MOST_VALUES = 100
_MOST_ITEMS = 1_000
_DEEPEST = 8
_LARGEST_INT = 2**63 - 1
_LARGEST_COUNT_DIGITS = 15
# Keys of diagnoses whose values are figures: rates and memory, and counts by cause.
_FIGURES = ("_hz", "_mb")
_OBJECTS_NEED = ("stamp_ns", "frame_id", "age_ms", "stage_ms", "model", "objects")
COUNTS = ("dropped: ", "degraded: ")
_READ_OBJECTS = partial(ObjectsView.model_validate_json, strict=True)
_READ_GROUNDED = partial(GroundedView.model_validate_json, strict=True)
_READ_STATUS = partial(POLICY_STATUS.adapter.validate_json, strict=True)


class UnusableError(RobotVisionError, ValueError):
    """A message is not usable; the text says why."""


def number_of(text: str) -> float | None:
    """The finite number in a text; None for any other text."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def count_of(text: str) -> int | None:
    """The count in a text, 0 or more; None for any other text."""
    is_count = text.isascii() and text.isdigit() and len(text) <= _LARGEST_COUNT_DIGITS
    return int(text) if is_count else None


def text_of(text: str, *, longest: int = _LONGEST_TEXT) -> str:
    """Text that can be sent on: bounded, and valid Unicode."""
    cut = text if len(text) <= longest else f"{text[:longest]}…"
    return cut.encode("utf-8", "replace").decode()


def admit_diagnosis(
    level: Level, name: str, message: str, values: Iterable[tuple[str, str]]
) -> tuple[Diagnosis, int]:
    """A status of /diagnostics, and how many of its figures are unusable."""
    kept: dict[str, str] = {}
    unusable = 0
    for number, (key, value) in enumerate(values):
        if number >= _MOST_VALUES:
            unusable += 1
            break
        is_usable = _is_usable(key, value)
        unusable += not is_usable
        kept[text_of(key, longest=_LONGEST_NAME)] = text_of(value) if is_usable else UNKNOWN
    diagnosis = Diagnosis(
        level=level,
        name=text_of(name, longest=_LONGEST_NAME),
        message=text_of(message),
        values=kept,
    )
    return diagnosis, unusable


def _is_usable(key: str, value: str) -> bool:
    if key.startswith(COUNTS):
        return count_of(value) is not None
    return not key.endswith(_FIGURES) or number_of(value) is not None


def admit_status(text: str) -> tuple[PolicyStatus, int, str]:
    """`~/status/json` of the policy, how many of its fields are unusable, and a note for the log.

    `enabled` and `holding` must be there: a guess could report a moving arm as still. The note
    names fields that are missing, shown as unknown, and fields that only a newer node has.
    """
    data = _parsed(text, longest=_LONGEST_STATUS, what=POLICY_STATUS.what)
    missing, unknown = POLICY_STATUS.missing(data), POLICY_STATUS.note_on_unknown(data)
    status, unusable = _admit(_READ_STATUS, data, needed=("enabled", "holding"))
    lacks = f"{POLICY_STATUS.what} lacks {', '.join(missing)}" if missing else ""
    return status, unusable, "; ".join(filter(None, (lacks, unknown)))


def admit_objects(text: str) -> tuple[ObjectsView, int]:
    """`~/objects/json`, and how many of its rows and fields are unusable."""
    if len(text) <= _LONGEST_OBJECTS:
        try:
            return _READ_OBJECTS(text), 0
        except ValidationError:
            pass  # looked at in detail, which takes longer
    data = _parsed(text, longest=_LONGEST_OBJECTS, what="objects")
    return _admit(_READ_OBJECTS, data, needed=_OBJECTS_NEED)


def admit_grounded(text: str) -> tuple[GroundedView, int]:
    """`~/grounded/json`, and how many of its rows and fields are unusable."""
    data = _parsed(text, longest=_LONGEST_OBJECTS, what="what words name")
    return _admit(_READ_GROUNDED, data, needed=(*_OBJECTS_NEED, "prompt"))


def objects_in(data: dict[str, Any]) -> ObjectsView:
    """Objects of this process, which a wrong calibration may put anywhere."""
    try:
        return ObjectsView.model_validate(data)
    except ValidationError:
        return _admit(_READ_OBJECTS, plain(data), needed=_OBJECTS_NEED)[0]


def _parsed(text: str, *, longest: int, what: str) -> dict[str, Any]:
    if len(text) > longest:
        raise UnusableError(f"{what}: {len(text)} characters; at most {longest} are taken")
    try:
        data = plain(parse_json(text, what=what))
    except ForeignFileError as error:
        raise UnusableError(str(error)) from error
    if not isinstance(data, dict):
        raise UnusableError(f"{what}: expected a JSON object, got {type(data).__name__}")
    return data


def _admit(
    read: Callable[[str], T], data: dict[str, Any], *, needed: tuple[str, ...]
) -> tuple[T, int]:
    missing = [name for name in needed if name not in data]
    if missing:
        raise UnusableError(f"it lacks {', '.join(missing)}")
    unusable, words = 0, ""
    # Leave out what is wrong, or the row around it where that field is required.
    for _ in range(_DEEPEST):
        try:
            return read(json.dumps(data)), unusable
        except ValidationError as error:
            errors = error.errors(include_url=False, include_input=False)
        wrong, words = {_place(e["loc"]) for e in errors}, in_words(errors)
        if any(place[0] in needed and len(place) == 1 for place in wrong):
            raise UnusableError(words)
        unusable += len(wrong)
        _leave_out(data, wrong)
    raise UnusableError(words)


def _place(location: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """What to leave out: a top-level field, or a field of a row, or a whole row."""
    if location[0] == "objects" and len(location) > 1:
        return location[:3]
    return location[:1]


def _leave_out(data: dict[str, Any], places: set[tuple[int | str, ...]]) -> None:
    rows = data.get("objects")
    gone: set[int] = set()
    for place in places:
        if len(place) == 1:
            data.pop(str(place[0]), None)
            continue
        row = int(place[1])
        field = place[2] if len(place) > 2 else None
        assert isinstance(rows, list)
        if isinstance(rows[row], dict) and field in _MAY_LACK and field in rows[row]:
            rows[row][field] = None
        else:
            gone.add(row)
    if gone:
        data["objects"] = [row for n, row in enumerate(rows or ()) if n not in gone]


_MAY_LACK = frozenset(
    {
        "position_m",
        "position_covariance_m2",
        "velocity_mps",
        "velocity_covariance_m2ps2",
        "size_m",
        "box_xyxy_px",
        "outline_px",
        "keypoints",
        "oriented_box",
    }
)


def plain(value: Any, depth: int = 0) -> Any:
    """JSON of bounded depth, width and length; numbers that are not finite become None."""
    if depth > _DEEPEST:
        return None
    if isinstance(value, str):
        return text_of(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return value if abs(value) <= _LARGEST_INT else None
    if isinstance(value, list | tuple):
        return [plain(item, depth + 1) for item in value[:_MOST_ITEMS]]
    return {
        text_of(key, longest=_LONGEST_NAME): plain(item, depth + 1)
        for key, item in list(value.items())[:_MOST_VALUES]
    }
