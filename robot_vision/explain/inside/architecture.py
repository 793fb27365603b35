"""A drawing of a network: its modules in rows, from the input down, and their connections.

Tensors are followed while the network runs: all tensors computed from a module's output, by any
torch function, carry that module's mark until another module takes them.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from html import escape
from typing import Any

import torch
from jaxtyping import Shaped
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

_WIDTH_PX, _HEIGHT_PX, _GAP_X_PX, _GAP_Y_PX, _MARGIN_PX = 210, 44, 22, 34, 24
_STYLE = """
  text { font: 11px sans-serif; text-anchor: middle; fill: #1b2733 }
  text.small { font-size: 10px; fill: #4a5a68 }
  rect { fill: #eef4fa; stroke: #5b7c99 }
  path { fill: none; stroke: #5b7c99; stroke-opacity: .7 }
"""


@dataclass(frozen=True, kw_only=True)
class Node:
    """A module at its first call: its class, the shape of its output, its predecessors."""

    name: str
    kind: str
    shape: tuple[int, ...]
    parameters: int
    fed_by: tuple[str, ...]


@dataclass(kw_only=True)
class _Follower(TorchFunctionMode):
    """Marks of tensors by identity; tensors are kept alive, so that identities stay unique."""

    marks: dict[int, frozenset[str]] = field(default_factory=dict)
    kept: list[Shaped[Tensor, "..."]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        del types
        answer = func(*args, **(kwargs or {}))
        made = list(_tensors(answer))
        if made:
            marks = self.of([*args, *(kwargs or {}).values()])
            for tensor in made:
                self.mark(tensor, marks)
        return answer

    def mark(self, tensor: Shaped[Tensor, "..."], marks: frozenset[str]) -> None:
        self.marks[id(tensor)] = marks
        self.kept.append(tensor)

    def of(self, values: Any) -> frozenset[str]:
        found = [self.marks.get(id(tensor), frozenset()) for tensor in _tensors(values)]
        return frozenset().union(*found)


@torch.no_grad()
def follow(model: nn.Module, call: Callable[[], Any], *, depth: int) -> list[Node]:
    """The innermost modules down to `depth` levels, in the order of running."""
    follower = _Follower()
    nodes: dict[str, Node] = {}
    inside: list[str] = []
    drawn = _drawn(model, depth)

    def enter(name: str) -> Any:
        def hook(module: nn.Module, args: Any, kwargs: Any) -> None:
            if not inside and name not in nodes:
                nodes[name] = Node(
                    name=name,
                    kind=type(module).__name__,
                    shape=(),
                    parameters=sum(p.numel() for p in module.parameters()),
                    fed_by=tuple(sorted(follower.of([args, kwargs]))),
                )
            inside.append(name)

        return hook

    def leave(name: str) -> Any:
        def hook(_module: nn.Module, _args: Any, answer: Any) -> None:
            inside.pop()
            if inside:
                return
            tensors = list(_tensors(answer))
            for tensor in tensors:
                follower.mark(tensor, frozenset({name}))
            known = nodes[name]
            shape = tuple(int(side) for side in tensors[0].shape) if tensors else ()
            nodes[name] = Node(**{**vars(known), "shape": shape})

        return hook

    handles = []
    for name in drawn:
        module = model.get_submodule(name)
        handles.append(module.register_forward_pre_hook(enter(name), with_kwargs=True))
        handles.append(module.register_forward_hook(leave(name)))
    try:
        with follower:
            call()
    finally:
        for handle in handles:
            handle.remove()
    return list(nodes.values())


def _drawn(model: nn.Module, depth: int) -> list[str]:
    """Modules at that level, and leaf modules above it."""
    found = []
    for name, module in model.named_modules():
        level = name.count(".") + 1 if name else 0
        is_list = isinstance(module, nn.ModuleList | nn.ModuleDict)
        is_last = not any(True for _ in module.children())
        if name and not is_list and (level == depth or (level < depth and is_last)):
            found.append(name)
    return found


def _tensors(value: Any) -> Iterable[Shaped[Tensor, "..."]]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        yield from _tensors(list(value.values()))
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _tensors(one)
    elif hasattr(value, "__dataclass_fields__"):
        yield from _tensors(list(vars(value).values()))


def draw_architecture(nodes: list[Node], *, title: str) -> str:
    """The SVG: rows by the longest path from the input, within a row in the order of running."""
    row: dict[str, int] = {}
    for node in nodes:  # predecessors ran before
        row[node.name] = max((row[name] + 1 for name in node.fed_by if name in row), default=0)
    place: dict[str, tuple[float, float]] = {}
    counts = [0] * (max(row.values(), default=0) + 1)
    for node in nodes:
        at = row[node.name]
        x = _MARGIN_PX + counts[at] * (_WIDTH_PX + _GAP_X_PX) + _WIDTH_PX / 2
        place[node.name] = (x, 2 * _MARGIN_PX + at * (_HEIGHT_PX + _GAP_Y_PX) + _HEIGHT_PX / 2)
        counts[at] += 1
    width = 2 * _MARGIN_PX + max(counts) * (_WIDTH_PX + _GAP_X_PX)
    height = 3 * _MARGIN_PX + len(counts) * (_HEIGHT_PX + _GAP_Y_PX)
    total = sum(node.parameters for node in nodes)
    arrows = [_arrow(place[name], place[node.name]) for node in nodes for name in node.fed_by]
    boxes = [_box(node, place[node.name]) for node in nodes]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}"><style>{_STYLE}</style>'
        f'<rect width="{width}" height="{height}" style="fill:#fff;stroke:none"/>'
        f'<text x="{_MARGIN_PX}" y="{_MARGIN_PX}" style="text-anchor:start">'
        f"{escape(title)}: {total:,} parameters in {len(nodes)} modules</text>"
        + "".join(arrows + boxes)
        + "</svg>\n"
    )


def _box(node: Node, at: tuple[float, float]) -> str:
    x, y = at
    shape = "×".join(map(str, node.shape[1:])) or "scalar"
    name = node.name if len(node.name) < 34 else f"…{node.name[-32:]}"
    return (
        f'<rect x="{x - _WIDTH_PX / 2}" y="{y - _HEIGHT_PX / 2}" width="{_WIDTH_PX}" '
        f'height="{_HEIGHT_PX}" rx="4"/><text x="{x}" y="{y - 3}">{escape(name)}</text>'
        f'<text class="small" x="{x}" y="{y + 13}">{escape(node.kind)} → {shape}, '
        f"{node.parameters:,}</text>"
    )


def _arrow(begin: tuple[float, float], end: tuple[float, float]) -> str:
    (x0, y0), (x1, y1) = begin, end
    y0, y1 = y0 + _HEIGHT_PX / 2, y1 - _HEIGHT_PX / 2
    middle = (y0 + y1) / 2
    return f'<path d="M{x0} {y0}C{x0} {middle} {x1} {middle} {x1} {y1}"/>'
