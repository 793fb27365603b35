"""Runs a model in evaluation during training."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn

from robot_vision.training.engine.task import Predictor


@contextmanager
def answering(
    model: nn.Module, device: torch.device, *, by_name: bool = False
) -> Iterator[Predictor]:
    """A predictor that passes inputs to the model in order, in evaluation mode while inside.

    With `by_name` the model takes them as one mapping.
    """
    was_training = model.training
    model.eval()

    @torch.no_grad()
    def predict(inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        given = {name: torch.from_numpy(value).to(device) for name, value in inputs.items()}
        found = model(given) if by_name else model(*given.values())
        return {role: value.float().cpu().numpy() for role, value in found.items()}

    try:
        yield predict
    finally:
        model.train(was_training)
