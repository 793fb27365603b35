"""Colours that people with any colour vision can distinguish, constant for each track."""

from typing import TypeAlias

Rgb: TypeAlias = tuple[int, int, int]

# Okabe and Ito (2008), without black.
_COLORS: tuple[Rgb, ...] = (
    (230, 159, 0),
    (86, 180, 233),
    (0, 158, 115),
    (240, 228, 66),
    (0, 114, 178),
    (213, 94, 0),
    (204, 121, 167),
)


def color_of(track_id: int) -> Rgb:
    """The colour of a track: the same for its whole life."""
    return _COLORS[track_id % len(_COLORS)]


def ink_on(color: Rgb) -> Rgb:
    """Black or white, whichever is more legible on `color` (relative luminance of ITU-R
    BT.709)."""
    luminance = 0.2126 * color[0] + 0.7152 * color[1] + 0.0722 * color[2]
    return (0, 0, 0) if luminance > 110 else (255, 255, 255)
