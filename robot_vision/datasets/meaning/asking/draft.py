"""A meaning still being written: what it lacks, with the possible choices."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from robot_vision.core.files.foreign import quoted, read_yaml
from robot_vision.datasets.errors import DatasetError
from robot_vision.datasets.meaning.meaning import ANGLES, ROTATION_COLUMNS, Meaning

Draft = Mapping[str, Any]

CHOICES = {
    "rate_hz": "steps a second",
    "action": "the columns of `tool` or `joints`, `kind`, `gripper`",
    "state": "the columns of `tool`, `joints` or both; or none",
    "kind": "delta | absolute",
    "axes": "base | tool",
    "tool|joints": "`tool` with its position, or `joints` with its columns",
    "tool": "`position`, `position_unit`, `rotation` and its columns",
    "joints": "`columns`, `angle_unit`",
    "position": "three columns by name or number: [x, y, z]",
    "position_unit": "m | mm | metres per unit",
    "rotation": " | ".join(ROTATION_COLUMNS),
    "rotation_columns": "columns by name or number",
    "angle_unit": "rad | deg | radians per unit",
    "columns": "columns by name or number, starting at the base",
    "gripper": "`column`, `closed` and `open`; or none",
    "column": "a column by name or number",
    "closed": "the number of a closed gripper: 0, 1, -1 …",
    "open": "the number of an open gripper: 1, 0, -1, or the greatest width in m",
}
_WITH_FIELDS = {"action", "state", "tool", "joints", "gripper"}
_MAY_BE_NONE = ("state", "gripper")


class MeaningError(DatasetError):
    """The meaning of a set's numbers is missing or contradictory."""


def read_draft(path: Path) -> dict[str, Any]:
    """A YAML file of a meaning, complete or not; raises `ForeignFileError` or `MeaningError`."""
    found = read_yaml(path)
    if not isinstance(found, dict):
        raise MeaningError(f"{path}: expected rate_hz, action and state, found {quoted(found)}")
    return found


def merged(known: Draft, said: Draft) -> dict[str, Any]:
    """Known facts, overridden by what is given; null means not given.

    Raises `MeaningError` where a value stands in place of fields.
    """
    _must_have_fields(said)
    found = _over(known, said)
    for part in ("action", "state"):  # known names are of the known columns
        joints = (said.get(part) or {}).get("joints") if said.get(part) != "none" else None
        if joints and joints.get("columns") and not joints.get("names"):
            found[part]["joints"].pop("names", None)
    action = said.get("action") or {}
    for one, other in (("tool", "joints"), ("joints", "tool")):  # an action has one of both
        if action.get(one) and not action.get(other):
            found["action"].pop(other, None)
    return found


def _must_have_fields(said: Draft, where: str = "") -> None:
    for name in said.keys() & _WITH_FIELDS:
        value, shown = said[name], f"{where}{name}"
        if isinstance(value, Mapping):
            _must_have_fields(value, f"{shown}.")
        elif value is not None and not (value == "none" and name in _MAY_BE_NONE):
            raise MeaningError(f"{shown} is {quoted(value)}; expected {CHOICES[name]}")


def _over(known: Draft, said: Draft) -> dict[str, Any]:
    found = dict(known)
    for name, value in said.items():
        before = found.get(name)
        if isinstance(value, Mapping):
            found[name] = _over(before if isinstance(before, Mapping) else {}, value)
        elif value is not None:
            found[name] = value
    return found


def missing_fields(draft: Draft) -> list[str]:
    """Dotted names of a draft's missing fields, in the order in which they are requested."""
    missing = [] if draft.get("rate_hz") else ["rate_hz"]
    action = draft.get("action") or {}
    missing += _missing_of_action(action)
    state = draft.get("state")
    if state is None:
        return [*missing, "state"]
    return missing if state == "none" else [*missing, *_missing_of_state(state)]


def whole(draft: Draft, *, of: str, suggestions: Mapping[str, str] | None = None) -> Meaning:
    """The meaning in a complete draft.

    Raises `MeaningError` that names all missing fields with their choices and what the data
    suggest, or with the contradiction. `of` names the dataset.
    """
    missing = missing_fields(draft)
    if missing:
        lines = [f"  {asked(name, (suggestions or {}).get(name, ''))}" for name in missing]
        raise MeaningError(
            f"the meaning of the numbers of {of} is not given; missing:\n"
            + "\n".join(lines)
            + f"\nwrite them with `robot-vision demonstrations study {of} --write FILE.yaml` "
            "and name the file as the meaning"
        )
    try:
        return Meaning.model_validate(draft)
    except ValidationError as error:
        faults = [
            f"{'.'.join(str(part) for part in fault['loc']) or 'meaning'}: {fault['msg']}"
            + ("" if isinstance(fault["input"], Mapping) else f", found {quoted(fault['input'])}")
            for fault in error.errors()[:8]
        ]
        raise MeaningError(f"the meaning of {of}: {'; '.join(faults)}") from error


def asked(name: str, suggestion: str = "") -> str:
    """A missing field as a line: its choices, and the data's suggestion."""
    words = CHOICES.get(name.rpartition(".")[2], "")
    return f"{name}: {words}" + (f". The data suggest {suggestion}" if suggestion else "")


def _missing_of_action(action: Draft) -> list[str]:
    missing: list[str] = []
    if not action.get("tool") and not action.get("joints"):
        missing.append("action.tool|joints")
    missing += _missing_of_parts(action, "action")
    if action.get("kind") is None:
        missing.append("action.kind")
    is_of_tool = bool(action.get("tool")) and action.get("kind") != "absolute"
    if is_of_tool and action.get("axes") is None:
        missing.append("action.axes")
    if not action.get("gripper"):
        missing.append("action.gripper")
    return missing


def _missing_of_state(state: Draft) -> list[str]:
    is_placed = state.get("tool") or state.get("joints")
    return [*([] if is_placed else ["state.tool|joints"]), *_missing_of_parts(state, "state")]


def _missing_of_parts(part: Draft, where: str) -> list[str]:
    missing = []
    if tool := part.get("tool"):
        needed = ["position", "position_unit", "rotation"]
        if tool.get("rotation") != "none":
            needed.append("rotation_columns")
        if tool.get("rotation") in (None, *ANGLES):
            needed.append("angle_unit")
        missing += _lacks(tool, needed, f"{where}.tool")
    if joints := part.get("joints"):
        missing += _lacks(joints, ["columns", "angle_unit"], f"{where}.joints")
    gripper = part.get("gripper")
    if isinstance(gripper, Mapping):
        missing += _lacks(gripper, ["column", "closed", "open"], f"{where}.gripper")
    return missing


def _lacks(part: Draft, names: list[str], where: str) -> list[str]:
    return [f"{where}.{name}" for name in names if part.get(name) is None]
