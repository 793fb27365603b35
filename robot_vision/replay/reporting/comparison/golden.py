"""A replay's behaviour, small enough to version with the code, and the tolerances for another.

A golden file holds, for every bag, counts, intrinsics, tracks, and the means of a bounded number
of windows over time; and the tolerances for comparison, which users can change. Ages are not in
it: they depend on the machine. Digests are reported, not compared: another processor rounds
differently.
"""

import json
from pathlib import Path
from typing import Any

from robot_vision.core.errors import ConfigError, ForeignFileError
from robot_vision.core.files.foreign import quoted, read_json
from robot_vision.replay.reporting.comparison.drift import TOLERANCES, compare_foreign
from robot_vision.replay.reporting.comparison.figure_drift import Drift

VERSION = 1
MIN_TRACK_FRAMES = 5
SAID_BESIDE_OBJECTS = ("classification", "segmentation", "grounding")


def behaviour_of(figures: dict[str, Any]) -> dict[str, Any]:
    """The part of a replay's figures that a golden file keeps."""
    windows = [
        {k: v for k, v in row.items() if k not in ("processing_ms", "score")}
        for row in figures["windows"]
    ]
    kept = ("model", "camera", "frames", "duration_s", "digest", "detections_by_class")
    return {
        **{name: figures[name] for name in kept},
        **{name: figures[name] for name in SAID_BESIDE_OBJECTS if name in figures},
        "tracks_by_class": figures["tracks_by_class"],
        "id_switches": len(figures["id_switches"]),
        "tracks": [row for row in figures["tracks"] if row["frames"] >= MIN_TRACK_FRAMES],
        "windows": windows,
    }


def load_golden(path: Path) -> dict[str, Any]:
    """Read a golden file; raises `ConfigError` saying what is wrong with it."""
    if not path.exists():
        raise ConfigError(f"golden file {path} does not exist; --update-golden writes it")
    try:
        golden = read_json(path)
    except ForeignFileError as error:
        raise ConfigError(f"cannot read the golden file {path}: {error}") from error
    if not isinstance(golden, dict) or golden.get("version") != VERSION:
        raise ConfigError(
            f"{path} is not a golden file of version {VERSION}; was it made by another version?"
        )
    tolerances = golden.get("tolerances", {})
    for part in (tolerances, golden.get("bags")):
        if not isinstance(part, dict):
            raise ConfigError(
                f"{path}: expected bags and tolerances by name, found {quoted(part)}"
            )
    unknown = set(tolerances) - set(TOLERANCES)
    if unknown:
        raise ConfigError(
            f"{path}: unknown tolerances {quoted(sorted(unknown))}; known: {', '.join(TOLERANCES)}"
        )
    for name, value in tolerances.items():
        if not isinstance(value, int | float) or not 0 <= value < float("inf"):
            raise ConfigError(f"{path}: {name} is {quoted(value)}, expected a number from 0")
    return golden


def golden_for(path: Path, *, bag: str) -> dict[str, Any]:
    """A golden file that has `bag`; raises `ConfigError` if it cannot judge it."""
    golden = load_golden(path)
    if bag not in golden["bags"]:
        known = ", ".join(sorted(golden["bags"])) or "none"
        raise ConfigError(
            f"golden file {path} has no bag {bag!r}; it has: {known}. --update-golden adds it"
        )
    return golden


def save_golden(path: Path, behaviours: dict[str, dict[str, Any]]) -> None:
    """Write the behaviours of bags by name; keeps existing tolerances and other bags."""
    before = load_golden(path) if path.exists() else {}
    golden = {
        "version": VERSION,
        "tolerances": {**TOLERANCES, **before.get("tolerances", {})},
        "bags": {**before.get("bags", {}), **behaviours},
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(_compact(golden))


def check(golden: dict[str, Any], *, bag: str, behaviour: dict[str, Any]) -> list[Drift]:
    """Everything in which a replay of `bag` exceeds the golden file's tolerances."""
    tolerances = {**TOLERANCES, **golden.get("tolerances", {})}
    return compare_foreign(golden["bags"][bag], behaviour, tolerances=tolerances)


def _compact(golden: dict[str, Any]) -> str:
    """JSON with one track or window per line: small, with readable diffs."""
    text = json.dumps({**golden, "bags": {}}, indent=1)
    bags = []
    for name, behaviour in golden["bags"].items():
        lines = []
        for key, value in behaviour.items():
            if isinstance(value, list) and value:
                rows = ",\n   ".join(json.dumps(row) for row in value)
                lines.append(f"  {json.dumps(key)}: [\n   {rows}\n  ]")
            else:
                lines.append(f"  {json.dumps(key)}: {json.dumps(value)}")
        bags.append(f" {json.dumps(name)}: {{\n" + ",\n".join(lines) + "\n }")
    return text.replace('"bags": {}', '"bags": {\n' + ",\n".join(bags) + "\n}") + "\n"
