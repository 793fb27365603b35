"""Attention weights of any network that uses torch's fused kernel, which does not return them.

While a network is watched, the kernel is replaced by the equivalent matrix products.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Shaped
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from robot_vision.explain.heat import ExplainError


@dataclass(frozen=True, kw_only=True, eq=False)
class Attention:
    """How much queries attend to keys in a layer; rows sum to one."""

    layer: str
    weights: Float[Tensor, "b heads q k"]

    @property
    def is_among_itself(self) -> bool:
        """Whether it is square: self-attention."""
        return self.weights.shape[2] == self.weights.shape[3]

    def mean(self) -> Float[Tensor, "b q k"]:
        """Mean over the heads."""
        return self.weights.mean(dim=1)


@contextmanager
def watched(model: nn.Module) -> Iterator[list[Attention]]:
    """All attention inside the context, in order; with gradients if the inputs have any."""
    names: list[str] = []
    found: list[Attention] = []

    def enter(name: str) -> Any:
        return lambda _module, _inputs: names.append(name)

    def leave(_module: nn.Module, _inputs: object, _value: object) -> None:
        names.pop()

    handles = []
    for name, module in model.named_modules():
        handles.append(module.register_forward_pre_hook(enter(name)))
        handles.append(module.register_forward_hook(leave, always_call=True))
    try:
        with _Unfused(names, found):
            yield found
    finally:
        for handle in handles:
            handle.remove()


class _Unfused(TorchFunctionMode):
    def __init__(self, names: list[str], found: list[Attention]) -> None:
        super().__init__()
        self._names, self._found = names, found

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        del types
        if func is F.scaled_dot_product_attention:
            value, weights = _attend(*args, **(kwargs or {}))
            layer = self._names[-1] if self._names else ""
            self._found.append(Attention(layer=layer, weights=weights))
            return value
        return func(*args, **(kwargs or {}))


def _attend(
    query: Float[Tensor, "b heads q _d"],
    key: Float[Tensor, "b _heads k _d"],
    value: Float[Tensor, "b _heads k width"],
    attn_mask: Shaped[Tensor, "..."] | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> tuple[Float[Tensor, "b heads q width"], Float[Tensor, "b heads q k"]]:
    """The kernel's result and its weights; `dropout_p` is for training and ignored."""
    del dropout_p
    if enable_gqa:
        repeats = query.shape[-3] // key.shape[-3]
        key, value = (each.repeat_interleave(repeats, -3) for each in (key, value))
    logits = query @ key.transpose(-2, -1) * (scale or 1 / math.sqrt(query.shape[-1]))
    if is_causal:
        allowed = torch.ones(logits.shape[-2:], dtype=torch.bool, device=logits.device).tril()
        logits = logits.masked_fill(~allowed, -math.inf)
    if attn_mask is not None:
        is_bool = attn_mask.dtype == torch.bool
        logits = logits.masked_fill(~attn_mask, -math.inf) if is_bool else logits + attn_mask
    weights = logits.softmax(dim=-1)
    return weights @ value, weights


def some_attention(found: list[Attention], name: str) -> list[Attention]:
    """`found`; raises `ExplainError` if it is empty."""
    if not found:
        raise ExplainError(
            f"{name} runs no attention that can be read (torch's "
            "scaled_dot_product_attention): it has none or computes it differently. "
            "grad_cam and occlusion need none"
        )
    return found
