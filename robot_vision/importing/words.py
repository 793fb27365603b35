"""Describes the findings about a file."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from robot_vision.core.manifests.manifest import ModelInput, ModelManifest
from robot_vision.formats.registry import FORMATS
from robot_vision.importing.choice import Settled, is_weak
from robot_vision.importing.hypotheses import SCALE_FIELDS, scale_name
from robot_vision.importing.reading.file_facts import FileFacts
from robot_vision.importing.trying.trial import Trial, finds_boxes

_MOST_CHOICES = 6


@dataclass(frozen=True, kw_only=True)
class Finding:
    """The chosen manifest, and why; `lines` say "not sure" where pictures left a doubt."""

    manifest: ModelManifest
    lines: tuple[str, ...]
    trials: tuple[Trial, ...]


def decided(
    chosen: Trial,
    *,
    trials: Sequence[Trial],
    rivals: Sequence[Trial],
    color: Settled,
    size: Settled,
    is_guess: bool,
    facts: FileFacts,
    names_assumed: bool,
    all_trials: Sequence[Trial],
) -> Finding:
    """The description if objects were found in the pictures."""
    manifest = chosen.manifest
    sureness = "not sure" if is_weak(chosen) else "confident"
    format_words = f"guessed, {sureness}" if is_guess else "as given"
    doubt = "not sure, because so little is found: " if is_weak(chosen) else ""
    lines = [
        f"{doubt}format {manifest.format} ({format_words}): {_found_words(chosen)}, "
        f"quality {_quality(chosen)}"
        f"{_next_best(chosen, trials)}",
        f"fed {_color_words(color)}; {_scale_words(chosen, trials, rivals)}; "
        f"{_size_words(size, facts)}",
    ]
    if names_assumed:
        lines.append("names: the 80 classes of COCO, under which objects were found")
    lines += _said_by(facts)
    return Finding(manifest=manifest, lines=tuple(lines), trials=tuple(all_trials))


def unseen(
    best: Trial, *, is_guess: bool, facts: FileFacts, all_trials: Sequence[Trial]
) -> Finding:
    """The description if nothing was found in the pictures."""
    manifest = best.manifest
    spec = manifest.input
    who = _who_says(manifest, facts)
    sound = f": {best.evidence.sound:.0%} of its surest boxes lie in the pictures"
    guessed = ", guessed by its outputs" if is_guess else ""
    lines = [
        f"not sure: {_little_found(best)}. "
        f"Format {manifest.format}{guessed}{_reading_words(manifest)}"
        f"{sound if finds_boxes(manifest) else ''}",
        f"fed {spec.color.upper()}, pixels {scale_name(spec)}, {spec.resize}, as {who}; check it "
        "on your own pictures (--input color=…, scale=…, resize=… if not)",
    ]
    lines += _said_by(facts)
    return Finding(manifest=manifest, lines=tuple(lines), trials=tuple(all_trials))


def _found_words(trial: Trial) -> str:
    evidence = trial.evidence
    counts = f"{evidence.found} of {evidence.drawn}"
    if trial.manifest.task == "classification":
        return f"its likeliest class names an object in {counts} pictures"
    return f"{counts} objects in the pictures found"


def _little_found(best: Trial) -> str:
    evidence = best.evidence
    if not evidence.named:
        return "its classes have no names for what the pictures show, so these cannot judge it"
    if best.manifest.task == "classification":
        return _found_words(best)
    return f"of {evidence.drawn} objects in the pictures that it has names for, it finds " + (
        str(evidence.found) if evidence.found else "none"
    )


def untried(manifest: ModelManifest, *, is_guess: bool = False) -> Finding:
    """The description of a model that was not tried on pictures."""
    guessed = "guessed by the shapes of its outputs alone: " if is_guess else ""
    line = f"{guessed}format {manifest.format}; it was not tried on pictures"
    return Finding(manifest=manifest, lines=(line,), trials=())


def contradiction(best: Trial, file: Path) -> str:
    """Why a model that knows the objects in the pictures, and finds none, is refused."""
    return (
        f"{file}: objects in the pictures have the names of its classes, but however it is fed "
        f"and read (the likeliest: {best.manifest.format}{_reading_words(best.manifest)}) none is "
        "found. Its classes, its format or its weights are wrong; --explain shows what was "
        "tried, --no-trial writes the bundle anyway"
    )


def ask_for(best: Trial, others: Sequence[Trial]) -> str:
    """The question, with choices and the options that decide."""
    among = [best, *others]
    figures: dict[str, str] = {}
    for trial in among:
        evidence = f"quality {_quality(trial)}"
        if finds_boxes(trial.manifest):
            evidence += f", {trial.evidence.sound:.0%} of boxes sound"
        figures.setdefault(_choice(trial, among), evidence)
    choices = [f"{options} ({evidence})" for options, evidence in figures.items()]
    return (
        "the pictures do not show how this model works; choose one of: "
        + "; or ".join(choices[:_MOST_CHOICES])
        + ". --explain shows the table"
    )


def table_rows(trials: Sequence[Trial]) -> list[tuple[str, ...]]:
    """A row per trial: format, reading, colour, pixels, resize, found, quality, sound, fault."""
    return [
        (
            trial.manifest.format,
            _reading_words(trial.manifest).strip(", ") or "-",
            trial.manifest.input.color.upper(),
            scale_name(trial.manifest.input),
            trial.manifest.input.resize,
            f"{trial.evidence.found}/{trial.evidence.drawn}",
            _quality(trial),
            f"{trial.evidence.sound:.0%}",
            trial.evidence.fault,
        )
        for trial in trials
    ]


def _choice(trial: Trial, among: Sequence[Trial]) -> str:
    """The options that select this trial's reading, as far as it differs from the others."""
    options = []
    if len({t.manifest.format for t in among}) > 1:
        options.append(f"--format {trial.manifest.format}")
    for field in type(trial.manifest.reading).model_fields:
        values = {getattr(t.manifest.reading, field) for t in among}
        if len(values) > 1 and field in FORMATS.get(trial.manifest.format).readings:
            options.append(f"--reading {field}={getattr(trial.manifest.reading, field)}")
    for field in ("color", *SCALE_FIELDS):
        if len({getattr(t.manifest.input, field) for t in among}) > 1:
            options.append(f"--input {field}={_typed(trial.manifest.input, field)}")
    return " ".join(options)


def _typed(spec: ModelInput, field: str) -> str:
    value = getattr(spec, field)
    if isinstance(value, tuple):
        return "[" + ",".join(f"{part:g}" for part in value) + "]"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _next_best(chosen: Trial, trials: Sequence[Trial]) -> str:
    """The best of those that read the outputs differently."""
    mine = (chosen.manifest.format, chosen.manifest.reading)
    others = [
        t
        for t in trials
        if (t.manifest.format, t.manifest.reading) != mine
        and not t.evidence.equals(chosen.evidence)
    ]
    if not others:
        return _reading_words(chosen.manifest)
    best = max(others, key=lambda t: (not t.evidence.fault, t.evidence.mean_quality))
    fault = f", {best.evidence.fault}" if best.evidence.fault else ""
    other = f"{best.manifest.format}{_reading_words(best.manifest)}"
    return f"{_reading_words(chosen.manifest)} (next best: {other} {_quality(best)}{fault})"


def _color_words(color: Settled) -> str:
    mine = color.chosen.manifest.input.color
    other = next((t for t in color.tried if t is not color.chosen), None)
    if other is None:
        return f"{mine.upper()}, as given"
    name = other.manifest.input.color
    if color.others:
        return (
            f"{mine.upper()}, not sure: {_quality(color.chosen)} against {_quality(other)} as "
            f"{name.upper()} (--input color={name} if so)"
        )
    return f"{mine.upper()} ({name.upper()}: {_quality(other)})"


def _size_words(size: Settled, facts: FileFacts) -> str:
    mine = size.chosen.manifest.input.resize
    other = next((t for t in size.tried if t is not size.chosen), None)
    if other is None:
        return f"{mine}, as given"
    rival = f"{other.manifest.input.resize}: {_quality(other)}"
    if size.others:
        return (
            f"{mine}, as {_who_says(size.chosen.manifest, facts)} ({rival}, no clear difference)"
        )
    return f"{mine} ({rival})"


def _who_says(manifest: ModelManifest, facts: FileFacts) -> str:
    return "its metadata says" if facts.image else f"exporters of {manifest.format} do"


def _scale_words(chosen: Trial, trials: Sequence[Trial], rivals: Sequence[Trial]) -> str:
    manifest = chosen.manifest
    name = scale_name(manifest.input)
    mine = (manifest.format, manifest.reading)
    others = [
        t
        for t in trials
        if (t.manifest.format, t.manifest.reading) == mine and scale_name(t.manifest.input) != name
    ]
    if not others:
        return f"pixels {name}"
    best = max(others, key=lambda t: t.evidence.mean_quality)
    doubt = "not sure, " if best in rivals else ""
    return f"pixels {name} ({doubt}{scale_name(best.manifest.input)}: {_quality(best)})"


def _reading_words(manifest: ModelManifest) -> str:
    known = manifest.reading.model_dump(exclude_defaults=True)
    return "".join(f", {field} {value}" for field, value in known.items())


def _said_by(facts: FileFacts) -> list[str]:
    lines = [f"used: {', '.join(facts.sources)}"] if facts.sources else []
    return lines + list(facts.faults)


def _quality(trial: Trial) -> str:
    return f"{trial.evidence.mean_quality:.2f}"
