"""How policies that predict chunks of actions are served: their graphs and example inputs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor, nn

from robot_vision.models.card import Graph, Size
from robot_vision.models.policies.chunks import ChunkPolicy
from robot_vision.models.policies.pixel_spec import ChunkPolicySpec, InputShape
from robot_vision.models.policies.pointer import LANGUAGE_FILE, NETWORK_FILE

# At some observations a trained policy amplifies rounding: a change of 1e-6 of its inputs moved an
# action by 2e-4 of its range, in torch alone. A thousandth of the range is accepted.
_AMPLIFIES = 10.0


class _Language(nn.Module):
    def __init__(self, language: nn.Module) -> None:
        super().__init__()
        self.language = language

    def forward(self, tokens: Int[Tensor, "b l"]) -> tuple[Float[Tensor, "b l d"]]:
        return (self.language(tokens),)


class PolicyNetwork(nn.Module):
    """The policy with inputs and outputs as tuples, in order."""

    def __init__(self, policy: ChunkPolicy) -> None:
        super().__init__()
        self.policy = policy
        self.names = tuple(policy.input_shapes)

    def forward(self, *inputs: Shaped[Tensor, "b ..."]) -> tuple[Float[Tensor, "b ..."], ...]:
        return tuple(self.policy(dict(zip(self.names, inputs, strict=True))).values())


def example_of(shapes: dict[str, InputShape], batch: int) -> dict[str, Tensor]:
    """Random values; some tokens of each row are absent."""
    draw = torch.Generator().manual_seed(0)
    found, row = dict[str, Tensor](), torch.arange(batch)[:, None]
    for name, (kind, shape) in {n: (s.kind, s.shape) for n, s in shapes.items()}.items():
        if kind == "uint8":
            size = (batch, *shape)
            found[name] = torch.randint(0, 256, size, dtype=torch.uint8, generator=draw)
        elif kind == "bool":
            found[name] = torch.arange(shape[0]) < shape[0] - row % 2
        else:
            found[name] = torch.rand(batch, *shape, generator=draw) + 0.2
    return found


def served_graphs(model: nn.Module, spec: ChunkPolicySpec, size: Size) -> tuple[Graph, ...]:
    """The network, run once per moment; before it the language encoder, once per instruction.

    `size` is unused: the spec gives the size of each camera.
    """
    del size
    assert isinstance(model, ChunkPolicy)
    outputs = ("action", *model.fusion.carried_shapes)
    network = Graph(
        file=NETWORK_FILE,
        module=PolicyNetwork(model),
        example=example_of(model.input_shapes, 1),
        outputs={name: name for name in outputs},
        amplifies=_AMPLIFIES,
    )
    if model.sight.language is None:
        return (network,)
    tokens = torch.ones(1, spec.max_words, dtype=torch.int64)
    language = Graph(
        file=LANGUAGE_FILE,
        module=_Language(model.sight.language),
        example={"tokens": tokens},
        outputs={"encoding": "encoding"},
    )
    return (language, network)


@dataclass(frozen=True, kw_only=True)
class Declared:
    """The callbacks of a policy's card; `build` makes the policy from its spec."""

    build: Callable[[Any], ChunkPolicy]

    def unbuilt(self, spec: ChunkPolicySpec) -> ChunkPolicy:
        """The policy without weights, to query its shapes."""
        with torch.device("meta"), torch.random.fork_rng(devices=[]):
            return self.build(spec)

    def example(self, spec: ChunkPolicySpec, batch: int) -> dict[str, Tensor]:
        """As in training: words are tokens of the vocabulary, where it has one."""
        found = example_of(self.unbuilt(spec).input_shapes, batch)
        if spec.observation.words == "vocabulary":
            draw = torch.Generator().manual_seed(1)
            words = torch.randint(1, spec.words + 1, (batch, spec.max_words), generator=draw)
            del found["text"]
            found["tokens"] = words * found.pop("text_seen")
        return found

    def inputs(self, spec: ChunkPolicySpec) -> dict[str, str]:
        """Shapes by name."""
        found = self.unbuilt(spec).input_shapes
        shapes = {name: _text(each.shape) for name, each in found.items()}
        if spec.observation.words == "vocabulary":
            del shapes["text"]
            shapes["tokens"] = shapes.pop("text_seen")
        return shapes

    def outputs(self, spec: ChunkPolicySpec) -> dict[str, str]:
        """Shapes of the chunk and of the memory for the next moment."""
        carried = self.unbuilt(spec).fusion.carried_shapes
        return {"action": "b horizon actions", **{n: _text(shape) for n, shape in carried.items()}}


def _text(shape: tuple[int, ...]) -> str:
    return " ".join(("b", *map(str, shape)))
