"""Opens the samples of a set's folder, decoded once and kept beside it."""

from pathlib import Path

from robot_vision.training.data.labels.labelled import DetectionSet
from robot_vision.training.data.opening.open_set import load_detection_set, set_and_split
from robot_vision.training.data.samples.samples import SampleCache


def open_samples(
    folder: str | Path, *, width_px: int, height_px: int, cache_dir: str = ""
) -> SampleCache:
    """The samples of a set with boxes (`SET` or `SET@PART`) at a size.

    They are kept in `cache_dir`, or in `cache` inside the set. Raises `ConfigError` if it is not
    one.
    """
    source = load_detection_set(folder)
    return samples_of(source, folder, width_px=width_px, height_px=height_px, cache_dir=cache_dir)


def samples_of(
    source: DetectionSet,
    folder: str | Path,
    *,
    width_px: int,
    height_px: int,
    cache_dir: str = "",
) -> SampleCache:
    """As `open_samples`, for a set already read from `folder`."""
    root, _ = set_and_split(folder)
    kept = Path(cache_dir) / root.name if cache_dir else root / "cache"
    return SampleCache(source, width_px=width_px, height_px=height_px, folder=kept)
