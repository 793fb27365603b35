"""A golden file of a policy: its identity, and its answers to episodes, with a tolerance.

Numbers are normalised actions, so that one tolerance suits metres, radians and the gripper. It is
stored in the file, where users can change it: other processors round differently.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import BaseModel, Field, FiniteFloat, ValidationError

from robot_vision.core.errors import ConfigError, ForeignFileError
from robot_vision.core.files.foreign import quoted, read_json
from robot_vision.replay.judging.answers import Answer, Answers

KIND, VERSION, TOLERANCE = "policy", 1, 0.02
_MOST_LISTED = 5
_Number = Annotated[FiniteFloat, Field(strict=True)]


class GoldenEpisode(BaseModel):
    """An instruction, and the answer to each row."""

    instruction: str
    rows: list[list[_Number] | str]


class Golden(BaseModel):
    """A golden file's content."""

    identity: str
    tolerance: Annotated[_Number, Field(ge=0)]
    episodes: dict[int, GoldenEpisode]


def save_golden(path: Path, *, identity: str, episodes: Mapping[int, Answers]) -> None:
    """Write the answers of the policy with that identity."""
    golden = {
        "kind": KIND,
        "version": VERSION,
        "identity": identity,
        "tolerance": TOLERANCE,
        "episodes": {
            str(number): {"instruction": found.instruction, "rows": found.rows}
            for number, found in episodes.items()
        },
    }
    path.write_text(json.dumps(golden) + "\n", encoding="utf-8")


def load_golden(path: Path, *, identity: str) -> Golden:
    """Read a golden file; raises `ConfigError` if it is invalid or for another policy."""
    try:
        golden = read_json(path)
    except ForeignFileError as error:
        raise ConfigError(f"cannot read the golden file {path}: {error}") from error
    is_ours = isinstance(golden, dict) and golden.get("kind") == KIND
    if not is_ours or golden.get("version") != VERSION:
        raise ConfigError(f"{path} is not a policy's golden file of version {VERSION}")
    try:
        found = Golden.model_validate(golden)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ConfigError(
            f"{path}: {place}: {first['msg']}, found {quoted(first['input'])}: write the file "
            "anew with --update-golden"
        ) from error
    if found.identity != identity:
        raise ConfigError(
            f"{path} is for policy {found.identity}, but this one is {identity}: "
            "weights, pre-processing, statistics or convention differ (accept with "
            "--update-golden)"
        )
    return found


def differences(golden: Golden, episodes: Mapping[int, Answers], *, is_all: bool) -> list[str]:
    """Differences between the answers and the golden file, as text; no difference passes.

    `is_all`: all episodes of the set were judged, so none in the file may be missing.
    """
    known = [number for number in golden.episodes if is_all]
    found = [f"episode {n} is in the golden file only" for n in known if n not in episodes]
    for number, now in episodes.items():
        before = golden.episodes.get(number)
        if before is None:
            found.append(f"episode {number} is not in the golden file")
            continue
        if len(before.rows) != len(now.rows) or before.instruction != now.instruction:
            found.append(
                f"episode {number} has {len(now.rows)} rows of {now.instruction!r}, expected "
                f"{len(before.rows)} of {before.instruction!r}"
            )
            continue
        pairs = enumerate(zip(before.rows, now.rows, strict=True))
        wrong = [
            f"episode {number}, row {row}: {why}"
            for row, (was, answer) in pairs
            if (why := _difference(was, answer, tolerance=golden.tolerance))
        ]
        found += wrong[:_MOST_LISTED]
        if len(wrong) > _MOST_LISTED:
            found.append(f"episode {number}: and {len(wrong) - _MOST_LISTED} more rows")
    return found


def _difference(was: Answer, now: Answer, *, tolerance: float) -> str:
    if isinstance(was, str) or isinstance(now, str):
        return "" if was == now else f"answers {now!r}, expected {was!r}"
    if len(was) != len(now):
        return f"{len(now)} numbers, expected {len(was)}"
    away = np.abs(np.subtract(now, was))
    if np.isfinite(away).all() and away.max(initial=0.0) <= tolerance:
        return ""
    return f"an action differs by {away.max():.3g} (at most {tolerance:g})"
