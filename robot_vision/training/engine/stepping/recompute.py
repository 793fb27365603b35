"""Trades time for memory: recomputes activations inside a model's blocks in the backward pass.

Chen et al., arXiv:1604.06174.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from robot_vision.core.errors import ConfigError


def recompute_blocks(model: nn.Module) -> None:
    """Make the model's blocks discard activations; raises `ConfigError` if it has none.

    Blocks are the outermost members of `ModuleList`s and `Sequential`s that hold other modules.
    """
    blocks = list(_blocks(model))
    if not blocks:
        raise ConfigError(
            f"run.recompute: {type(model).__name__} has no lists of blocks to recompute; omit it"
        )
    for block in blocks:
        block.forward = _forgetting(block)


def _blocks(module: nn.Module) -> Iterator[nn.Module]:
    for child in module.children():
        is_block = isinstance(module, nn.ModuleList | nn.Sequential) and any(child.children())
        if is_block and not isinstance(child, nn.ModuleList | nn.ModuleDict):
            yield child
        else:
            yield from _blocks(child)


def _forgetting(block: nn.Module) -> Callable[..., Any]:
    forward = block.forward
    norms = [module for module in block.modules() if isinstance(module, _BatchNorm)]

    def contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        return nullcontext(), _statistics_kept(norms)

    def run(*inputs: Any, **named: Any) -> Any:
        if not (block.training and torch.is_grad_enabled()):
            return forward(*inputs, **named)
        return checkpoint(forward, *inputs, use_reentrant=False, context_fn=contexts, **named)

    return run


@contextmanager
def _statistics_kept(norms: list[_BatchNorm]) -> Iterator[None]:
    """A second pass over the same batch must not count twice in running statistics."""
    kept: list[tuple[Tensor, Tensor]] = [
        (buffer, buffer.clone()) for norm in norms for buffer in norm.buffers()
    ]
    try:
        yield
    finally:
        for buffer, before in kept:
            buffer.copy_(before)
