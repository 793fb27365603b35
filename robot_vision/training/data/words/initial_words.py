"""Adapts weights of one vocabulary as a start for another: each word keeps its meaning."""

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from robot_vision.core.manifests.vocabulary import Vocabulary
from robot_vision.terminal import say

_WORDS, _PLACES = "language.word.weight", "language.place"
_SHOWN = 6


def with_words(
    tensors: Mapping[str, Tensor], travels: Mapping[str, Any], vocabulary: Vocabulary | None
) -> dict[str, Tensor]:
    """A run's tensors (with its `travels`), their word rows rearranged for `vocabulary`.

    A word new to the weights begins as the mean of the known ones, as added
    tokens do elsewhere; this is logged. Positions beyond the longest text so far begin as zeros.
    """
    known = dict(travels.get("vocabulary") or {}).get("words")
    if vocabulary is None or known is None or tuple(known) == vocabulary.words:
        return dict(tensors)
    added = [word for word in vocabulary.words if word not in set(known)]
    if added:
        more = f" and {len(added) - _SHOWN} more" if len(added) > _SHOWN else ""
        say(f"words that the initial weights do not know: {', '.join(added[:_SHOWN])}{more}")
    found = dict(tensors)
    for name, tensor in tensors.items():
        if name.endswith(_WORDS):
            found[name] = _words(tensor, tuple(known), vocabulary.words)
        elif name.endswith(_PLACES):
            found[name] = _places(tensor, vocabulary.max_words)
    return found


def _words(
    rows: Float[Tensor, "known d"], known: tuple[str, ...], wanted: tuple[str, ...]
) -> Float[Tensor, "wanted d"]:
    """Row 0 is padding; word k has row k + 1."""
    at = {word: row for row, word in enumerate(known, start=1)}
    mean = rows[1:].mean(dim=0)
    return torch.stack([rows[0], *(rows[at[w]] if w in at else mean for w in wanted)])


def _places(rows: Float[Tensor, "known d"], count: int) -> Float[Tensor, "count d"]:
    more = rows.new_zeros(max(0, count - len(rows)), rows.shape[1])
    return torch.cat([rows[:count], more])
