"""The card of `pixel-policy`: examples, and the graphs that serve it."""

import torch
from torch import Tensor, nn

from robot_vision.core.observation_spec import CameraInput, ObservationSpec
from robot_vision.models.card import Card, Graph, Serving, Size
from robot_vision.models.encoders.encoder import EncoderChoice
from robot_vision.models.policies.pixel_spec import (
    InputShape,
    PartChoice,
    PixelPolicySpec,
)
from robot_vision.models.policies.pixels import PixelPolicy
from robot_vision.models.policies.pointer import LANGUAGE_FILE, NETWORK_FILE
from robot_vision.models.registry import register_model

_SMALL_ENCODER = EncoderChoice(name="resnet18", options={"depths": (1, 1, 1, 1), "width": 4})


class _Language(nn.Module):
    def __init__(self, language: nn.Module) -> None:
        super().__init__()
        self.language = language

    def forward(self, tokens: Tensor) -> tuple[Tensor]:
        return (self.language(tokens),)


class _Network(nn.Module):
    """The policy called with its inputs in order, answering in the order of its outputs."""

    def __init__(self, policy: PixelPolicy) -> None:
        super().__init__()
        self.policy = policy
        self.names = tuple(policy.input_shapes)

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.policy(dict(zip(self.names, inputs, strict=True))).values())


def example_of(shapes: dict[str, InputShape], batch: int) -> dict[str, Tensor]:
    """Noise; of a row not all is seen."""
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


def example_inputs(spec: PixelPolicySpec, batch: int) -> dict[str, Tensor]:
    """As while training: words as tokens of the vocabulary, where it has one."""
    found = example_of(_unbuilt(spec).input_shapes, batch)
    if spec.observation.words == "vocabulary":
        draw = torch.Generator().manual_seed(1)
        words = torch.randint(1, spec.words + 1, (batch, spec.max_words), generator=draw)
        del found["text"]
        found["tokens"] = words * found.pop("text_seen")
    return found


def served_graphs(model: nn.Module, spec: PixelPolicySpec, size: Size) -> tuple[Graph, ...]:
    """The network, run once a moment; before it the language, run once an instruction.

    `size` is of no use: the spec says which camera has which.
    """
    del size
    assert isinstance(model, PixelPolicy)
    outputs = ("action", *model.fusion.carried_shapes)
    network = Graph(
        file=NETWORK_FILE,
        module=_Network(model),
        example=example_of(model.input_shapes, 1),
        outputs={name: name for name in outputs},
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


def _declared_inputs(spec: PixelPolicySpec) -> dict[str, str]:
    shapes = {name: _text(each.shape) for name, each in _unbuilt(spec).input_shapes.items()}
    if spec.observation.words == "vocabulary":
        del shapes["text"]
        shapes["tokens"] = shapes.pop("text_seen")
    return shapes


def _declared_outputs(spec: PixelPolicySpec) -> dict[str, str]:
    carried = _unbuilt(spec).fusion.carried_shapes
    return {"action": "b horizon actions", **{n: _text(shape) for n, shape in carried.items()}}


def _unbuilt(spec: PixelPolicySpec) -> PixelPolicy:
    """The policy without weights: for what it says of itself."""
    with torch.device("meta"), torch.random.fork_rng(devices=[]):
        return PixelPolicy(spec)


def _text(shape: tuple[int, ...]) -> str:
    return " ".join(("b", *map(str, shape)))


_CAMERA = CameraInput(name="front", width_px=208, height_px=160, has_depth=True)
_TINY_CAMERA = CameraInput(name="front", width_px=48, height_px=32, has_depth=True)

register_model(
    Card(
        name="pixel-policy",
        about=(
            "Pictures of named cameras, depth, the arm's state and words to a chunk of actions: "
            "any encoder, any way of fusing them, any action head."
        ),
        paper="arXiv:2304.13705, arXiv:2405.12213",
        task="demonstrations",
        spec=PixelPolicySpec(observation=ObservationSpec(cameras=(_CAMERA,))),
        tiny=PixelPolicySpec(
            observation=ObservationSpec(cameras=(_TINY_CAMERA,), steps=2),
            encoder=_SMALL_ENCODER,
            fusion=PartChoice(name="transformer", options={"layers": 1}),
            head=PartChoice(name="mlp", options={"hidden": 16, "blocks": 1}),
            width=16,
            grid_rows=2,
            grid_columns=3,
            depth_width=4,
            words=9,
            max_words=5,
            horizon=3,
        ),
        build=PixelPolicy,
        example=example_inputs,
        inputs=_declared_inputs,
        outputs=_declared_outputs,
        most_parameters=4_000_000,
        serving=Serving(graphs=served_graphs),
        called_by_name=True,
        limits=("What it can do is what its demonstrations show; weights ship with none of them."),
    )
)
