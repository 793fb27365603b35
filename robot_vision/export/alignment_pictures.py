"""Shows a space shared by pictures and words: both kinds on a map, words over cells."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from robot_vision.core.errors import MissingDependencyError
from robot_vision.training.metrics.tiles import captioned, write_tiles

_PERPLEXITY = 20.0
_TILE_WIDTH_PX, _TILE_HEIGHT_PX = 260, 200
_COLUMNS = 2
_OPAQUE = 0.55


@dataclass(frozen=True, kw_only=True, eq=False)
class Words:
    """A picture, a text, and the similarity of each cell of the picture to it (−1 to 1)."""

    rgb: UInt8[np.ndarray, "h w 3"]
    text: str
    similarity: Float[np.ndarray, "rows columns"]


def check_map() -> None:
    """Raise `MissingDependencyError` where `draw_map` cannot draw: without scikit-learn."""
    if find_spec("sklearn") is None:
        raise MissingDependencyError(
            "the map of embeddings needs scikit-learn: pip install scikit-learn (it is in the "
            "extra `train`)"
        )


def draw_map(
    file: Path, picture: Float[np.ndarray, "n d"], text: Float[np.ndarray, "n d"]
) -> None:
    """Plots both kinds of embedding (t-SNE by cosine distance); lines join the pairs.

    t-SNE preserves neighbours, not distances.
    """
    from matplotlib.figure import Figure
    from sklearn.manifold import TSNE

    both = np.concatenate([picture, text]).astype(np.float64)
    perplexity = min(_PERPLEXITY, (len(both) - 1) / 3)
    tsne = TSNE(metric="cosine", init="random", perplexity=perplexity, random_state=0)
    placed = np.asarray(tsne.fit_transform(both))
    at_picture, at_text = placed[: len(picture)], placed[len(picture) :]
    figure = Figure(figsize=(7, 7), layout="constrained")
    axis = figure.subplots()
    for pair in zip(at_picture, at_text, strict=True):
        axis.plot(*np.stack(pair).T, color="0.8", linewidth=0.6, zorder=1)
    axis.scatter(*at_picture.T, s=14, label="pictures", zorder=2)
    axis.scatter(*at_text.T, s=14, marker="^", label="captions", zorder=2)
    axis.set_xticks([])
    axis.set_yticks([])
    axis.legend()
    figure.savefig(file, dpi=110)


def draw_words(file: Path, shown: Sequence[Words]) -> None:
    """Each picture next to a copy overlaid with its cells' similarity, the nearest in red."""
    tiles = [_tile(one) for one in shown]
    write_tiles(file, tiles, columns=min(_COLUMNS, len(tiles)))


def _tile(one: Words) -> UInt8[np.ndarray, "h w 3"]:
    size = (_TILE_WIDTH_PX, _TILE_HEIGHT_PX)
    picture = cv2.resize(one.rgb, size)
    low, high = float(one.similarity.min()), float(one.similarity.max())
    scaled = (one.similarity - low) / max(high - low, 1e-6)
    heat = cv2.applyColorMap(
        cv2.resize((255 * scaled).astype(np.uint8), size, interpolation=cv2.INTER_LINEAR),
        cv2.COLORMAP_TURBO,
    )
    over = cv2.addWeighted(picture, 1 - _OPAQUE, heat[..., ::-1].copy(), _OPAQUE, 0)
    return captioned(np.hstack([picture, over]), (one.text, f"{low:.2f} to {high:.2f}"))
