"""Finds the output layers of a model: their channels have a meaning outside and must stay."""

from collections.abc import Iterable, Mapping
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

# Autograd's names of layers that multiply by weights: channels before them are internal.
_PRODUCTS = ("Convolution", "Addmm", "Mm", "Bmm", "Linear")


def answering_layers(model: nn.Module, outputs: Mapping[str, Tensor]) -> set[str]:
    """Names of the layers whose channels reach an output with no other layer in between."""
    owners = {
        id(parameter): name
        for name, module in model.named_modules()
        for parameter in module.parameters(recurse=False)
    }
    found: set[str] = set()
    waiting: list[Any] = [t.grad_fn for t in outputs.values() if t.grad_fn is not None]
    seen = set(waiting)
    while waiting:
        node = waiting.pop()
        following = [step for step, _ in node.next_functions if step is not None]
        if node.name().startswith(_PRODUCTS):
            found |= _owners(following, owners)
            if any(hasattr(step, "variable") or _leads_to_leaf(step) for step in following):
                continue
        for step in following:
            if step not in seen:
                seen.add(step)
                waiting.append(step)
    return found


def _owners(nodes: Iterable[Any], owners: Mapping[int, str]) -> set[str]:
    """Layers whose parameters these nodes are, transposed or not."""
    leaves = [leaf for node in nodes if (leaf := _leaf(node)) is not None]
    return {owners[id(leaf)] for leaf in leaves if id(leaf) in owners}


def _leads_to_leaf(node: Any) -> bool:
    return _leaf(node) is not None


def _leaf(node: Any) -> Float[Tensor, "..."] | None:
    """The parameter that a node is, or whose transpose it is."""
    while not hasattr(node, "variable"):
        if node.name() not in ("TBackward0", "TransposeBackward0", "PermuteBackward0"):
            return None
        (node,) = (step for step, _ in node.next_functions)
        if node is None:
            return None
    return node.variable
