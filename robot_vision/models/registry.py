"""The registry of torch models: every card in every module below `robot_vision.models`."""

from typing import Any

from robot_vision.core.registry import Registry
from robot_vision.models.card import Card

MODELS: Registry[Card[Any]] = Registry("model", package="robot_vision.models")


def register_model(card: Card[Any]) -> None:
    """Register a model under the name on its card."""
    MODELS.register(card.name)(card)
