"""Demonstrations on disk, one file per episode, and in memory as training uses them.

A frame is stored once, as the tokens that the policy would get. A sample is a frame and an
instruction: which tokens may be pointed at, and what the expert would do. The same frame serves
many instructions.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

import numpy as np
from jaxtyping import Bool, Float16, Float32, Int64
from pydantic import BaseModel, ConfigDict, ValidationError

from robot_vision.core.errors import ConfigError, ForeignFileError
from robot_vision.core.files.foreign import parse_json, quoted, read_text
from robot_vision.core.manifests.vocabulary import Vocabulary
from robot_vision.policies.language.vocabulary import padded, tokenise
from robot_vision.policies.observing.tokens import PolicyInputs

SET_FILE, VOCABULARY_FILE = "set.json", "vocabulary.json"
MOST_EPISODE_BYTES = 2**31
_FRAME_ARRAYS = ("objects", "present", "visual", "has_visual", "robot")
_SAMPLE_ARRAYS = ("frame", "texts", "pointers", "action", "moves")


class SetDescription(BaseModel):
    """What all episodes of a set share: the perception bundle, and the meaning of steps.

    `perception` holds parameters of the service by dotted name, `recipe` the requested options.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    perception_model_id: str
    class_names: tuple[str, ...]
    perception: dict[str, Any] = {}
    history: int
    step_s: float
    recipe: dict[str, Any] = {}


@dataclass(frozen=True, kw_only=True, eq=False)
class Sample:
    """What the expert would do for one instruction in one frame.

    `texts` are several wordings of it. `pointers` marks which rows are valid as target and as
    destination: the objects, then the hand, then nothing. `action` is in physical units,
    None if the answer is to hold.
    """

    texts: tuple[str, ...]
    pointers: Bool[np.ndarray, "2 p"]
    action: Float32[np.ndarray, "t 7"] | None


def save_episode(
    file: Path, frames: list[tuple[PolicyInputs, list[Sample]]], *, horizon: int
) -> None:
    """Write an episode atomically; `frames` are in the order of observation."""
    texts: dict[tuple[str, ...], int] = {}
    rows: list[tuple[int, int, np.ndarray, np.ndarray, bool]] = []
    for number, (_, samples) in enumerate(frames):
        for sample in samples:
            index = texts.setdefault(sample.texts, len(texts))
            action = sample.action
            still = np.zeros((horizon, 7), np.float32)
            rows.append(
                (
                    number,
                    index,
                    sample.pointers,
                    still if action is None else action,
                    action is not None,
                )
            )
    inputs = [encoded for encoded, _ in frames]
    arrays = {
        "objects": np.stack([i.objects for i in inputs]).astype(np.float16),
        "present": np.stack([i.present for i in inputs]),
        "visual": np.stack([i.visual for i in inputs]).astype(np.float16),
        "has_visual": np.array([i.has_visual for i in inputs]),
        "robot": np.stack([i.robot for i in inputs]),
        "frame": np.array([r[0] for r in rows], np.int64),
        "texts": np.array([r[1] for r in rows], np.int64),
        "pointers": np.stack([r[2] for r in rows]),
        "action": np.stack([r[3] for r in rows]).astype(np.float32),
        "moves": np.array([r[4] for r in rows]),
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_suffix(".partial")
    with partial.open("wb") as stream:
        np.savez_compressed(stream, texts_json=np.array(json.dumps(list(texts))), **arrays)
    partial.replace(file)


@dataclass(frozen=True, kw_only=True, eq=False)
class PolicySet:
    """Episodes joined. Sample k shows frame `frame[k]` and any of the rows of `tokens` from
    `first_text[k]` on, `text_count[k]` of them."""

    objects: Float16[np.ndarray, "f n o"]
    present: Bool[np.ndarray, "f n"]
    visual: Float16[np.ndarray, "f cells v"]
    has_visual: Bool[np.ndarray, " f"]
    robot: Float32[np.ndarray, "f r"]
    tokens: Int64[np.ndarray, "u l"]
    frame: Int64[np.ndarray, " s"]
    first_text: Int64[np.ndarray, " s"]
    text_count: Int64[np.ndarray, " s"]
    pointers: Bool[np.ndarray, "s 2 p"]
    action: Float32[np.ndarray, "s t 7"]
    moves: Bool[np.ndarray, " s"]

    def __len__(self) -> int:
        return len(self.frame)


def write_description(folder: Path, description: SetDescription) -> None:
    """Write `set.json`; raises `ConfigError` if the folder holds a set of another kind."""
    file = folder / SET_FILE
    if file.exists() and (found := read_description(folder)) != description:
        raise ConfigError(f"{folder} holds another set: {found}, requested: {description}")
    _write_whole(file, description.model_dump_json(indent=1))


def read_description(folder: Path) -> SetDescription:
    """Read what `write_description` wrote; raises `ConfigError` if it is missing or damaged."""
    file = folder / SET_FILE
    try:
        return SetDescription.model_validate_json(read_text(file))
    except (ForeignFileError, ValidationError) as error:
        raise ConfigError(f"{folder} is not a set of episodes: {error}") from error


def write_vocabulary(folder: Path, vocabulary: Vocabulary) -> None:
    """Write `vocabulary.json`: the words of the set's instructions."""
    _write_whole(folder / VOCABULARY_FILE, vocabulary.model_dump_json(indent=1))


def read_vocabulary(folder: Path) -> Vocabulary:
    """Read what `write_vocabulary` wrote; raises `ConfigError` if it is missing or damaged."""
    file = folder / VOCABULARY_FILE
    if not file.exists():
        raise ConfigError(
            f"{folder} has no {VOCABULARY_FILE}: running `robot-vision collect --out {folder} "
            "--episodes N` once more, with the options it was collected with, writes it"
        )
    try:
        return Vocabulary.model_validate_json(read_text(file))
    except (ForeignFileError, ValidationError) as error:
        raise ConfigError(f"{file} is not a vocabulary: {error}") from error


def common_vocabulary(folders: list[str]) -> Vocabulary:
    """The common vocabulary of sets to mix; raises `ConfigError` if they differ."""
    first, *others = [read_vocabulary(Path(folder)) for folder in folders]
    for folder, other in zip(folders[1:], others, strict=True):
        if other != first:
            apart = sorted(set(other.words) ^ set(first.words))
            raise ConfigError(
                f"{folder} cannot be mixed with {folders[0]}: their vocabularies differ"
                f"{' in ' + quoted(', '.join(apart)) if apart else ''}; collect one of them again"
            )
    return first


def common_description(folders: list[str]) -> SetDescription:
    """The common description of sets to mix; raises `ConfigError` if they cannot be mixed."""
    first, *others = [read_description(Path(folder)) for folder in folders]
    for folder, other in zip(folders[1:], others, strict=True):
        if other.model_copy(update={"recipe": first.recipe}) != first:
            raise ConfigError(f"{folder} cannot be mixed with {folders[0]}: {other}, not {first}")
    return first


def _write_whole(file: Path, text: str) -> None:
    """Write a file atomically."""
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_suffix(".partial")
    partial.write_text(text)
    partial.replace(file)


def episode_files(folders: list[str]) -> list[Path]:
    """The episodes of several folders, in order; raises `ConfigError` if there are none."""
    files = []
    for folder in folders:
        found = sorted(Path(folder).glob("*.npz"))
        if not found:
            raise ConfigError(f"{folder} holds no episodes (*.npz); see `robot-vision collect`")
        files += found
    return files


def load_set(folders: list[str], vocabulary: Vocabulary) -> PolicySet:
    """Read the episodes of several folders.

    Raises `ConfigError` if an instruction cannot be followed with the vocabulary.
    """
    joined: dict[str, list[np.ndarray]] = {n: [] for n in (*_FRAME_ARRAYS, *_SAMPLE_ARRAYS)}
    wordings: dict[tuple[str, ...], int] = {}
    frames = 0
    for file in episode_files(folders):
        stored, local = _stored(file)
        numbers = np.array([wordings.setdefault(g, len(wordings)) for g in local])
        stored["frame"] = stored["frame"] + frames
        stored["texts"] = numbers[stored["texts"]]
        for name, values in stored.items():
            joined[name].append(values)
        frames += len(stored["robot"])
    arrays = {name: np.concatenate(joined.pop(name)) for name in list(joined)}
    groups = arrays.pop("texts")
    tokens, first, count = _token_table(list(wordings), vocabulary)
    return PolicySet(**arrays, tokens=tokens, first_text=first[groups], text_count=count[groups])


def _stored(file: Path) -> tuple[dict[str, np.ndarray], list[tuple[str, ...]]]:
    """The arrays of an episode, and its instructions; raises `ConfigError` if it is not one."""
    try:
        with ZipFile(file) as packed:
            size = sum(part.file_size for part in packed.infolist())
        if size > MOST_EPISODE_BYTES:
            raise ConfigError(
                f"{file} unpacks to {size} bytes; at most {MOST_EPISODE_BYTES} are read"
            )
        with np.load(file) as found:
            stored = {name: found[name] for name in (*_FRAME_ARRAYS, *_SAMPLE_ARRAYS)}
            texts = parse_json(str(found["texts_json"]), what=str(file))
        local = [tuple(str(text) for text in group) for group in texts]
        _must_point_at(stored["texts"], len(local))
        _must_point_at(stored["frame"], len(stored["robot"]))
    except ConfigError:
        raise
    except (OSError, KeyError, TypeError, ValueError, MemoryError, BadZipFile) as error:
        raise ConfigError(f"{file} is not an episode: {quoted(repr(error))}") from error
    return stored, local


def _must_point_at(rows: np.ndarray, count: int) -> None:
    if rows.dtype.kind not in "iu" or not ((rows >= 0) & (rows < count)).all():
        raise ValueError(f"rows are not from 0 to {count - 1}")


def _token_table(
    wordings: list[tuple[str, ...]], vocabulary: Vocabulary
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rows, first, count = [], [], []
    for group in wordings:
        first.append(len(rows))
        count.append(len(group))
        for text in group:
            found = tokenise(text, vocabulary)
            if found.problem:
                raise ConfigError(f"instruction {text!r} cannot be learnt: {found.problem}")
            rows.append(padded(found.tokens, vocabulary.max_words))
    return np.stack(rows), np.array(first), np.array(count)
