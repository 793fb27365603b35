"""Keeps individually pruned weights at zero: zero at the start stays zero."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn


class Zeros:
    """Where trainable parameters were exactly zero when the run began."""

    def __init__(self, parameters: Iterable[nn.Parameter]) -> None:
        self._kept: list[tuple[nn.Parameter, Tensor]] = [
            (parameter, parameter.detach() != 0)
            for parameter in parameters
            if parameter.ndim > 1 and bool((parameter == 0).any())
        ]

    @torch.no_grad()
    def restore(self) -> None:
        for parameter, kept in self._kept:
            parameter.mul_(kept)
