"""The training datasets: opened, with the meaning of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

from robot_vision.core.errors import ConfigError
from robot_vision.datasets.episode_set import EpisodeSet
from robot_vision.datasets.meaning.asking.draft import read_draft
from robot_vision.datasets.meaning.asking.suggest import known_or_asked
from robot_vision.datasets.meaning.checking.check import must_hold
from robot_vision.datasets.meaning.meaning import Meaning
from robot_vision.datasets.open_dataset import open_dataset

_LEAST_HZ = 1.0
Said = Meaning | Mapping[str, Any] | str | Path | None


@dataclass(frozen=True, kw_only=True, eq=False)
class Source:
    """A dataset and what its numbers mean."""

    folder: Path
    episodes: EpisodeSet
    meaning: Meaning


def open_sources(folders: Sequence[str | Path], meaning: Said) -> list[Source]:
    """Open all; raises `ConfigError` if their rates differ, `MeaningError` for a missing
    meaning, `DatasetError` for unreadable data."""
    sources = [_open(Path(folder), meaning) for folder in folders]
    rates = {source.meaning.rate_hz for source in sources}
    if min(rates, default=1.0) < _LEAST_HZ:
        raise ConfigError(
            f"rate_hz is {min(rates):g}; a policy gives at least {_LEAST_HZ:g} action a second: "
            "resample the set"
        )
    if len(rates) > 1:
        each = ", ".join(f"{s.folder.name} {s.meaning.rate_hz:g} Hz" for s in sources)
        raise ConfigError(f"a policy has one rate; the sets have several: {each}")
    return sources


def checked(sources: Sequence[Source]) -> tuple[str, ...]:
    """Remarks on the meaning of each set; raises `MeaningError` if data contradict it."""
    return tuple(
        f"{source.folder}: {finding.text}"
        for source in sources
        for finding in must_hold(source.episodes, source.meaning, of=str(source.folder))
    )


def fingerprint(folder: Path) -> str:
    """Changes if a file of the set does, by size and time."""
    digest = blake2b(digest_size=12)
    files = [folder] if folder.is_file() else sorted(p for p in folder.rglob("*") if p.is_file())
    for file in files:
        known = file.stat()
        name = file.relative_to(folder) if file != folder else file.name
        digest.update(f"{name} {known.st_size} {known.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _draft(meaning: Mapping[str, Any] | str | Path | None) -> dict[str, Any]:
    if isinstance(meaning, Mapping):
        return dict(meaning)
    return read_draft(Path(meaning)) if meaning else {}


def _open(folder: Path, said: Said) -> Source:
    draft = {} if isinstance(said, Meaning) else _draft(said)
    rate_hz = said.rate_hz if isinstance(said, Meaning) else draft.get("rate_hz")
    episodes = open_dataset(folder, fps=float(rate_hz) if rate_hz and _lacks_rate(folder) else 0.0)
    if isinstance(said, Meaning) and episodes.said_meaning is None:
        meaning = said
    else:
        meaning = known_or_asked(episodes, draft, of=str(folder))
    if abs(meaning.rate_hz - episodes.fps) > 1e-6 * episodes.fps:
        raise ConfigError(
            f"{folder} has {episodes.fps:g} steps per second, its meaning says "
            f"rate_hz {meaning.rate_hz:g}"
        )
    return Source(folder=folder, episodes=episodes, meaning=meaning)


def _lacks_rate(folder: Path) -> bool:
    episodes = open_dataset(folder)
    try:
        return not episodes.says_rate
    finally:
        episodes.close()
