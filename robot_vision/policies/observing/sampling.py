"""Pixels spread evenly over a box, and the values of maps of the same view there."""

import numpy as np
from jaxtyping import Float, Shaped


def spread_over(
    low_px: Float[np.ndarray, "2"],
    high_px: Float[np.ndarray, "2"],
    *,
    size_px: tuple[int, int],
    side: int,
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """Columns and rows of `side`² points in a box, clipped to a view of width × height."""
    limit = np.array(size_px)
    low = np.clip(low_px, 0, limit - 1)
    high = np.clip(high_px, low + 1, limit)
    step = (np.arange(side) + 0.5) / side
    u, v = np.meshgrid(*(low + (high - low) * step[:, None]).T)
    return u.ravel().astype(np.float64), v.ravel().astype(np.float64)


def looked_up(
    values: Shaped[np.ndarray, "h w ..."],
    u_px: Float[np.ndarray, " n"],
    v_px: Float[np.ndarray, " n"],
    *,
    size_px: tuple[int, int],
) -> Shaped[np.ndarray, "n ..."]:
    """Values of a map ([h, w, …]) covering a view of width × height, at pixels of the view."""
    height, width = values.shape[:2]
    rows = np.clip((v_px * (height / size_px[1])).astype(int), 0, height - 1)
    columns = np.clip((u_px * (width / size_px[0])).astype(int), 0, width - 1)
    return values[rows, columns]
