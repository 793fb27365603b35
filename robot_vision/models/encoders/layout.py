"""Public names of a model's weights, and how such tensors are renamed to ours."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

_COUNT = "num_batches_tracked"  # absent from files of older programs, and only used in training


@dataclass(frozen=True, kw_only=True, eq=False)
class Layout:
    """Names that a public implementation gives to the weights of one of our modules.

    `public` maps the name of one of our weights and a spec to its name there, or to several names
    of tensors that are stacked in ours (query, key and value). Names that begin with one of
    `heads` belong to layers that we do not have. `options` are fields of the spec that this
    implementation requires; `options_of` reads more of them from the `config.json` beside the
    weights, and raises what a mapping raises for a missing key.
    """

    name: str
    public: Callable[[str, Any], str | tuple[str, ...]]
    heads: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    options_of: Callable[[Mapping[str, Any]], dict[str, Any]] | None = None

    def sources(self, own: str, spec: Any) -> tuple[str, ...]:
        """Public names of the tensors that make up one of ours."""
        found = self.public(own, spec)
        return (found,) if isinstance(found, str) else found


@dataclass(frozen=True, kw_only=True, eq=False)
class Renamed:
    """Tensors by our names, and those that did not fit: `missing` and `unexpected` public names.

    `left_out` are tensors of heads, and of anything beside the encoder in the file.
    """

    layout: Layout
    tensors: dict[str, Tensor]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    left_out: tuple[str, ...]


OWN = Layout(name="robot_vision", public=lambda name, _spec: name)


def rename(
    own: Sequence[str], spec: Any, layout: Layout, tensors: Mapping[str, Tensor]
) -> Renamed:
    """Rename tensors from a layout's names to ours. `own` are the names of all our weights."""
    prefix = _prefix(layout.sources(own[0], spec)[0], tensors)
    found, missing, used = dict[str, Tensor](), list[str](), set[str]()
    for name in own:
        sources = [prefix + source for source in layout.sources(name, spec)]
        used.update(sources)
        absent = [source for source in sources if source not in tensors]
        if not absent:
            parts = [tensors[source] for source in sources]
            found[name] = parts[0] if len(parts) == 1 else torch.cat(parts)
        elif name.endswith(_COUNT):
            found[name] = torch.tensor(0)
        else:
            missing += absent
    rest = sorted(tensors.keys() - used)
    heads = tuple(prefix + head for head in layout.heads)
    left_out = tuple(n for n in rest if not n.startswith(prefix) or n.startswith(heads))
    return Renamed(
        layout=layout,
        tensors=found,
        missing=tuple(missing),
        unexpected=tuple(name for name in rest if name not in left_out),
        left_out=left_out,
    )


def _prefix(anchor: str, tensors: Mapping[str, Tensor]) -> str:
    """Prefix of the encoder's names in a file that holds more than an encoder."""
    prefixes = [name.removesuffix(anchor) for name in tensors if name.endswith(anchor)]
    whole = [prefix for prefix in prefixes if not prefix or prefix.endswith(".")]
    return min(whole, key=len, default="")
