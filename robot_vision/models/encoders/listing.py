"""Encoders as rows of a table, without initialising weights."""

from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import torch

from robot_vision.models.encoders.encoder import ENCODERS, EncoderCard


def described() -> Iterator[tuple[str, ...]]:
    """One row per encoder: name, parameters, strides, channels, width of `pooled`, about."""
    for name in ENCODERS:
        card = ENCODERS.get(name)
        absent = bool(card.needs) and find_spec(card.needs) is None
        sizes = (f"needs {card.needs}", "", "", "") if absent else _sizes(card)
        yield (name, *sizes, card.about)


def _sizes(card: EncoderCard[Any]) -> tuple[str, str, str, str]:
    with torch.device("meta"), torch.random.fork_rng(devices=[]):
        encoder = card.build(card.spec)
    count = sum(p.numel() for p in encoder.parameters())
    strides, channels = (" ".join(map(str, n)) for n in (encoder.strides, encoder.channels))
    return f"{count / 1e6:.2f} M", strides, channels, str(encoder.dim)
