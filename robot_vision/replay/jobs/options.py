"""Parses the options of `robot-vision replay`; raises `ConfigError`."""

from collections.abc import Sequence
from math import inf
from pathlib import Path
from typing import Any, cast, get_args

from robot_vision.core.errors import ConfigError
from robot_vision.core.files.foreign import parse_yaml
from robot_vision.core.parameters.config import NodeConfig
from robot_vision.core.parameters.groups.policy_config import PointingConfig
from robot_vision.core.parameters.values import with_values
from robot_vision.replay.jobs.parameters import node_config
from robot_vision.replay.reading.episodes.options import EpisodeOptions
from robot_vision.replay.reading.frames import Intrinsics
from robot_vision.replay.running.runner import RunOptions
from robot_vision.replay.writing.outputs import Images, TracksFormat

_WORDS = ("grounding_model", "grounding_threshold", "prompt")
_POINTING = "pointing."


def parse_parameters(texts: Sequence[str], *, config: Path | None, model: str) -> NodeConfig:
    """Parameters from the defaults, then a YAML file, then `name=value` texts, then `model`."""
    return node_config(config, _values(texts) | ({"model": model} if model else {}))


def parse_pointing(texts: Sequence[str]) -> tuple[dict[str, Any], PointingConfig]:
    """What `--param` may say with `--policy`: perception's words, and `pointing` of the policy."""
    values = _values(texts)
    words = {name: value for name, value in values.items() if name in _WORDS}
    rest = {name: value for name, value in values.items() if name not in _WORDS}
    known = tuple(f"{_POINTING}{name}" for name in PointingConfig.model_fields)
    if unknown := sorted(set(rest) - set(known)):
        raise ConfigError(
            f"--param {unknown[0]}: with --policy expected one of {', '.join((*_WORDS, *known))}"
        )
    pointing = {name.removeprefix(_POINTING): value for name, value in rest.items()}
    return words, with_values(PointingConfig(), pointing)


def _values(texts: Sequence[str]) -> dict[str, Any]:
    values = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise ConfigError(f"--param {text!r}: expected name=value")
        values[name] = parse_yaml(value, what=f"--param {name}")
    return values


def name_bags(bags: Sequence[Path]) -> list[tuple[str, Path]]:
    """Bags with unique names for tables and folders; equal names get a number."""
    named: dict[str, Path] = {}
    for path in bags:
        stem = path.resolve().name if path.is_dir() else path.stem
        # `...mcap` has the stem `..`, which would be the folder above --out.
        name = first = stem if stem.strip(".") else "recording"
        number = 1
        while name in named:
            number += 1
            name = f"{first}-{number}"
        named[name] = path
    return list(named.items())


def parse_run(*, rate: str, from_s: float, to_s: float, intrinsics: str) -> RunOptions:
    """Pace, range and intrinsics of a replay."""
    return RunOptions(
        rate=_rate(rate), from_s=from_s, to_s=to_s, intrinsics_px=_intrinsics(intrinsics)
    )


def parse_episodes(episodes: Sequence[int], *, camera: str, fps: float) -> EpisodeOptions:
    """The part of a dataset; `fps` 0 is its own."""
    if not 0 <= fps < inf:
        raise ConfigError(f"--fps {fps}: expected steps per second, above 0")
    # In dataset order, each once: frame names contain their numbers.
    chosen = tuple(sorted(set(episodes)))
    return EpisodeOptions(episodes=chosen, camera=camera, fps=fps)


def parse_images(text: str) -> Images:
    """Which images the MCAP gets."""
    return cast(Images, _choice("--images", text, get_args(Images)))


def parse_tracks(text: str) -> TracksFormat:
    """The format of the table of tracks."""
    return cast(TracksFormat, _choice("--tracks", text, get_args(TracksFormat)))


def _rate(text: str) -> float:
    named = {"as-fast-as-possible": 0.0, "real-time": 1.0}
    try:
        rate = named[text] if text in named else float(text)
    except ValueError:
        rate = -1.0
    if not 0 <= rate < 1000:
        choices = "as-fast-as-possible, real-time, or a factor above 0"
        raise ConfigError(f"--rate {text!r}: expected {choices}")
    return rate


def _intrinsics(text: str) -> Intrinsics | None:
    if not text:
        return None
    try:
        fx, fy, cx, cy = (float(part) for part in text.split(","))
    except ValueError as error:
        raise ConfigError(f"--intrinsics {text!r}: expected four numbers fx,fy,cx,cy") from error
    return fx, fy, cx, cy


def _choice(option: str, value: str, choices: tuple[str, ...]) -> str:
    if value not in choices:
        raise ConfigError(f"{option} {value!r}: expected one of {', '.join(choices)}")
    return value
