"""Which depth file belongs to which frame of a video: by order, and only if that is certain."""

from collections.abc import Sequence

import numpy as np

from robot_vision.core.clock import NS_PER_S
from robot_vision.replay.reading.messages import BagError

# Share of a frame period. Millisecond stamps are off by less than that up to 500 Hz.
_OFF_GRID = 0.25


def depth_of_frames(stamps_ns: Sequence[int], *, files: int, rate_hz: float) -> list[int]:
    """The index of the depth file of each decoded frame.

    A decoder skips damaged frames, so later ones would get depth of another moment. So either the
    numbers of frames and files are equal, or the frames lie on the grid of a constant rate, which
    shows which are lost. Raises `BagError` if neither holds.
    """
    places = _places(stamps_ns, rate_hz)
    has_holes = places is not None and places[-1] != len(stamps_ns) - 1
    if len(stamps_ns) == files and not has_holes:
        return list(range(files))
    if places is not None and places[-1] == files - 1:
        return places
    raise BagError(
        f"{len(stamps_ns)} frames of the video could be decoded, and its depth folder has "
        f"{files} files: the pairing is unknown. Expected one file per frame; move the folder "
        "away to replay the video without depth"
    )


def _places(stamps_ns: Sequence[int], rate_hz: float) -> list[int] | None:
    """Each frame's index on the grid of the rate; None if they do not lie on one."""
    if not stamps_ns:
        return None
    since_s = (np.asarray(stamps_ns, np.int64) - stamps_ns[0]) / NS_PER_S
    exact = since_s * rate_hz
    places = np.round(exact)
    is_grid = np.abs(exact - places).max() < _OFF_GRID and (np.diff(places) >= 1).all()
    return places.astype(int).tolist() if is_grid else None
