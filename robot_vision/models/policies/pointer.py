"""The policy: a small language encoder, and a network from tokens to a chunk of actions.

Both are one model in training and two graphs in service: words are encoded once per instruction,
observations once per frame. See `pointer_parts.py`.
"""

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor, nn

from robot_vision.models.card import Card, Graph, Serving, Size
from robot_vision.models.layers.language import LanguageEncoder
from robot_vision.models.policies.pointer_parts import PolicyNetwork, PolicySpec
from robot_vision.models.registry import register_model

LANGUAGE_FILE, NETWORK_FILE = "language.onnx", "policy.onnx"
NETWORK_OUTPUTS = ("action", "pointers", "attention")


class Policy(nn.Module):
    """Language encoder and network, as they are trained."""

    def __init__(self, spec: PolicySpec) -> None:
        super().__init__()
        self.spec = spec
        self.language = LanguageEncoder(
            words=spec.words, max_words=spec.max_words, width=spec.width, heads=spec.heads
        )
        self.network = PolicyNetwork(spec)

    def forward(
        self,
        tokens: Int[Tensor, "b l"],
        objects: Float[Tensor, "b n _object"],
        objects_present: Bool[Tensor, "b n"],
        visual: Float[Tensor, "b cells _visual"],
        visual_present: Bool[Tensor, "b 1"],
        robot: Float[Tensor, "b _robot"],
        bias: Float[Tensor, "b 2 n+2"] | None = None,
        pointable: Bool[Tensor, "b 2 n+2"] | None = None,
    ) -> dict[str, Tensor]:
        """Outputs of `PolicyNetwork` for an instruction as `tokens`, in which 0 is padding."""
        text = self.language(tokens)
        rest = (objects, objects_present, visual, visual_present, robot, bias, pointable)
        return self.network(text, tokens > 0, *rest)


class _ServedLanguage(nn.Module):
    def __init__(self, language: LanguageEncoder) -> None:
        super().__init__()
        self.language = language

    def forward(self, tokens: Int[Tensor, "b l"]) -> tuple[Float[Tensor, "b l d"]]:
        return (self.language(tokens),)


class _ServedNetwork(nn.Module):
    """The network; returns a tuple in the order of `NETWORK_OUTPUTS`."""

    def __init__(self, network: PolicyNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, *inputs: Shaped[Tensor, "b ..."]) -> tuple[Float[Tensor, "b ..."], ...]:
        named = self.network(*inputs)
        return tuple(named[name] for name in NETWORK_OUTPUTS)


def example_inputs(spec: PolicySpec, batch: int) -> dict[str, Tensor]:
    """Random tokens; instructions differ in length, and some objects are absent."""
    draw = torch.Generator().manual_seed(0)

    def noise(*shape: int) -> Float[Tensor, "b ..."]:
        return torch.randn(batch, *shape, generator=draw)

    row = torch.arange(batch)[:, None]
    words = torch.randint(1, spec.words + 1, (batch, spec.max_words), generator=draw)
    return {
        "tokens": words * (torch.arange(spec.max_words) < spec.max_words - row % spec.max_words),
        "objects": noise(spec.max_objects, spec.object_width),
        "objects_present": torch.arange(spec.max_objects) < spec.max_objects - row % 2,
        "visual": noise(spec.visual_cells, spec.visual_width),
        "visual_present": row % 3 < 2,
        "robot": noise(spec.robot_width),
        "bias": noise(2, spec.max_objects + 2),
    }


def served_graphs(model: nn.Module, spec: PolicySpec, size: Size) -> tuple[Graph, ...]:
    """Two graphs: one runs per instruction, one per frame; both at batch size 1."""
    del size
    assert isinstance(model, Policy)
    example = example_inputs(spec, 1)
    tokens = example.pop("tokens")
    text = torch.zeros(1, spec.max_words, spec.width)
    return (
        Graph(
            file=LANGUAGE_FILE,
            module=_ServedLanguage(model.language),
            example={"tokens": tokens},
            outputs={"encoding": "encoding"},
        ),
        Graph(
            file=NETWORK_FILE,
            module=_ServedNetwork(model.network),
            example={"text": text, "text_present": tokens > 0, **example},
            outputs={name: name for name in NETWORK_OUTPUTS},
        ),
    )


register_model(
    Card(
        name="policy-s",
        about=(
            "A language encoder, run once per instruction, and a network from tracked objects, "
            "the feature grid and the arm's state to a chunk of 7-DoF actions, with pointers to "
            "the target object and to its destination."
        ),
        paper="arXiv:2304.02643, arXiv:1506.03134, arXiv:2304.13705",
        task="policy",
        spec=PolicySpec(),
        tiny=PolicySpec(
            words=9,
            max_words=5,
            max_objects=3,
            object_width=12,
            geometry_width=7,
            visual_cells=4,
            visual_width=6,
            robot_width=5,
            horizon=3,
            width=8,
            heads=2,
            layers=1,
            head_width=12,
            head_depth=1,
        ),
        build=Policy,
        example=example_inputs,
        inputs={
            "tokens": "b l",
            "objects": "b n object_width",
            "objects_present": "b n",
            "visual": "b visual_cells visual_width",
            "visual_present": "b 1",
            "robot": "b robot_width",
            "bias": "b 2 p",
        },
        outputs={
            "action": "b horizon 7",
            "pointers": "b 2 p",
            "attention": "b visual_cells",
        },
        most_parameters=1_500_000,
        serving=Serving(graphs=served_graphs),
        limits=(
            "Trained on the simulated robot only, with its table, its arm and objects of ten "
            "simple kinds; its behaviour on a real arm is unknown."
        ),
    )
)
