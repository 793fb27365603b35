"""Which part of a dataset to replay."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class EpisodeOptions:
    """`episodes` none: all. `camera` empty: the only one. `fps` 0: the dataset's own."""

    episodes: tuple[int, ...] = ()
    camera: str = ""
    fps: float = 0.0
