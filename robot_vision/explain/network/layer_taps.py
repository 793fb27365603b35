"""Every layer's output in one run of a network, and which outputs have places in the picture."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from robot_vision.explain.heat import ExplainError

# Tokens without a place that may precede those of patches: a class token, registers.
_MOST_EXTRA_TOKENS = 16
_NORMS = ("LayerNorm", "RMSNorm")
_NEAREST = 8


@dataclass(frozen=True, kw_only=True, eq=False)
class Tap:
    """The output of a module: `value` unchanged, with `rows` × `columns` places.

    `kind` is `map` ([n,c,rows,columns]), `map_last` ([n,rows,columns,c]) or `tokens`
    ([n,extra + rows·columns,c]).
    """

    name: str
    module: str
    kind: str
    value: Float[Tensor, "n ..."]
    rows: int
    columns: int

    @property
    def is_norm(self) -> bool:
        return self.module.endswith(_NORMS)

    def as_map(self, tensor: Float[Tensor, "n ..."]) -> Float[Tensor, "n c rows columns"]:
        """A tensor of the shape of `value` as maps; tokens without a place are left out."""
        if self.kind == "map":
            return tensor
        if self.kind == "map_last":
            return tensor.permute(0, 3, 1, 2)
        patches = tensor[:, -self.rows * self.columns :]
        return patches.transpose(1, 2).unflatten(2, (self.rows, self.columns))


def tapped(
    model: nn.Module, call: Callable[[], Mapping[str, Tensor]], *, size: tuple[int, int]
) -> tuple[Mapping[str, Tensor], list[Tap]]:
    """The model's outputs and the layers that have places, in order of running.

    `size` is the picture's height and width: a layer has places if its rows and columns have the
    picture's aspect ratio, to within a cell.
    """
    taps: list[Tap] = []

    def keep(name: str, module: nn.Module, value: object) -> None:
        if isinstance(value, Tensor) and value.is_floating_point():
            tap = _tap(name, type(module).__name__, value, size, taps)
            if tap is not None:
                taps.append(tap)

    with hooked(model, keep):
        answer = call()
    return answer, taps


def named(taps: Sequence[Tap], name: str) -> Tap:
    """The layer of that name; raises `ExplainError` with similar names."""
    for tap in reversed(taps):
        if tap.name == name:
            return tap
    known = list(dict.fromkeys(tap.name for tap in taps))
    near = [one for one in known if one.startswith(name.split(".")[0])] or known
    raise ExplainError(
        f"layer {name!r} has no places in the picture; the last layers that have are "
        f"{', '.join(near[-_NEAREST:])}"
    )


@contextmanager
def hooked(model: nn.Module, keep: Callable[[str, nn.Module, object], None]) -> Iterator[None]:
    """Call `keep` with the name and output of every module."""

    def hook(name: str) -> Any:
        return lambda module, _inputs, value: keep(name, module, value)

    handles = [
        module.register_forward_hook(hook(name)) for name, module in model.named_modules() if name
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _tap(
    name: str, module: str, value: Float[Tensor, "..."], size: tuple[int, int], before: list[Tap]
) -> Tap | None:
    found = _places(value, size, before)
    if found is None:
        return None
    kind, rows, columns = found
    return Tap(name=name, module=module, kind=kind, value=value, rows=rows, columns=columns)


def _places(
    value: Float[Tensor, "..."], size: tuple[int, int], before: list[Tap]
) -> tuple[str, int, int] | None:
    if value.dim() == 4:
        _, a, b, c = (int(side) for side in value.shape)
        if _fits(b, c, size):
            return "map", b, c
        return ("map_last", a, b) if _fits(a, b, size) else None
    if value.dim() != 3:
        return None
    count = int(value.shape[1])
    for tap in reversed(before):
        if 0 <= count - tap.rows * tap.columns <= _MOST_EXTRA_TOKENS and tap.kind != "tokens":
            return "tokens", tap.rows, tap.columns
    return None


def _fits(rows: int, columns: int, size: tuple[int, int]) -> bool:
    """Whether a grid has the picture's aspect ratio, give or take a cut or padded cell."""
    height, width = size
    if min(rows, columns) < 2 or rows > height or columns > width:
        return False
    return abs(height / rows - width / columns) * min(rows, columns) <= 1.5 * height / rows


@torch.no_grad()
def layer_names(
    model: nn.Module, call: Callable[[], Mapping[str, Tensor]], *, size: tuple[int, int]
) -> list[str]:
    """Layers that have places in the picture."""
    return [tap.name for tap in tapped(model, call, size=size)[1]]
