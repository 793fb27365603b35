"""Slots from colour and depth over time: the objects in view and the pixels of each.

Colour and depth are encoded separately and fused into tokens at a quarter of the size. Slot
attention divides the tokens among slots; an LSTM remembers each slot from frame to frame, and a
slot starts from this memory in the next frame (as in SAVi, arXiv:2111.12594).
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Real
from torch import Tensor, nn

from robot_vision.core.manifests.manifest import CarriedState, ModelInput
from robot_vision.core.parameters.params import Params, param
from robot_vision.models.card import Card, Graph, Serving, Size
from robot_vision.models.encoders.encoder import EncoderChoice
from robot_vision.models.encoders.picture_encoder import PictureEncoder
from robot_vision.models.layers.pyramid import Pyramid
from robot_vision.models.layers.separable import ConvNorm, SeparableBlock
from robot_vision.models.layers.slot_attention import SlotAttention, place_grid
from robot_vision.models.picture import picture_input
from robot_vision.models.registry import register_model
from robot_vision.models.temporal.depth_encoder import DepthEncoder

ROLES = ("features", "embedding", "slots", "slot_masks", "cell")
_TOKEN_STRIDE = 4
_PYRAMID_STRIDES = (4, 8, 16, 32)
_EXAMPLE_SIZE = (64, 96)
_SMALL_ENCODER = EncoderChoice(name="resnet18", options={"depths": (1, 1, 1, 1), "width": 4})


class RgbdTemporalSpec(Params):
    encoder: EncoderChoice = param(EncoderChoice(name="native-s"), "encoder of colour")
    width: int = param(64, "channels of tokens, slots and memory", ge=4, le=4096)
    depth_width: int = param(24, "channels of the depth encoder", ge=2, le=4096)
    slots: int = param(7, "slots, for objects and parts of the background", ge=2, le=64)
    iterations: int = param(3, "rounds of slot attention", ge=1, le=16)
    embedding: int = param(64, "width of the embedding", ge=1, le=4096)


@dataclass(frozen=True, kw_only=True, eq=False)
class Memory:
    """Carried from frame to frame; zeros mean no history."""

    slots: Float[Tensor, "b slots d"]
    cell: Float[Tensor, "b slots d"]

    def where(self, kept: Bool[Tensor, " b"]) -> "Memory":
        """The memory of the samples that keep it, zeros for the others."""
        rows = kept[:, None, None]
        return Memory(slots=self.slots * rows, cell=self.cell * rows)


class RgbdTemporal(nn.Module):
    """One frame with the memory of the frame before → outputs by role.

    `depth_m` is 0 where invalid, all zeros without a sensor. `past_slots` and `past_cell` are
    `slots` and `cell` of the frame before, zeros without a history.
    """

    def __init__(self, spec: RgbdTemporalSpec) -> None:
        super().__init__()
        self.spec = spec
        width = spec.width
        self.encoder = PictureEncoder(spec.encoder)
        self.pyramid = Pyramid(
            self.encoder.strides,
            self.encoder.channels,
            width=width,
            strides=_PYRAMID_STRIDES,
            wanted=[_TOKEN_STRIDE],
        )
        self.depth = DepthEncoder(spec.depth_width)
        self.fuse = nn.Sequential(
            ConvNorm(width + spec.depth_width, width), SeparableBlock(width, width, kernel=5)
        )
        self.place = nn.Linear(4, width)
        self.tokens = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.ReLU())
        self.start = nn.Parameter(torch.randn(spec.slots, width))
        self.from_memory = nn.Linear(width, width, bias=False)
        self.attention = SlotAttention(width, iterations=spec.iterations)
        self.memory = nn.LSTMCell(width, width)
        self.embedding = nn.Linear(self.encoder.dim + width, spec.embedding)

    def forward(
        self,
        rgb: Real[Tensor, "b h w 3"],
        depth_m: Float[Tensor, "b 1 h w"],
        past_slots: Float[Tensor, "b slots d"],
        past_cell: Float[Tensor, "b slots d"],
    ) -> dict[str, Tensor]:
        features, pooled = self._encode(rgb, depth_m)
        return self._remember(features, pooled, Memory(slots=past_slots, cell=past_cell))

    def sequence(
        self,
        rgb: Real[Tensor, "b t h w 3"],
        depth_m: Float[Tensor, "b t 1 h w"],
        keeps_history: Bool[Tensor, "b t"] | None = None,
    ) -> list[dict[str, Tensor]]:
        """Outputs of each frame of a sequence that starts without a history.

        All frames are encoded in one pass: the same result as frame by frame with the memory
        carried on. `keeps_history` is false where a frame gets no memory; None: all get it.
        """
        if keeps_history is None:
            keeps_history = torch.ones(rgb.shape[:2], dtype=torch.bool, device=rgb.device)
        features, pooled = self._encode(rgb.flatten(0, 1), depth_m.flatten(0, 1))
        frames = zip(
            features.unflatten(0, rgb.shape[:2]).unbind(1),
            pooled.unflatten(0, rgb.shape[:2]).unbind(1),
            keeps_history.unbind(1),
            strict=True,
        )
        memory, answers = self.no_history(len(rgb)), []
        for frame_features, frame_pooled, kept in frames:
            answers.append(self._remember(frame_features, frame_pooled, memory.where(kept)))
            memory = Memory(slots=answers[-1]["slots"], cell=answers[-1]["cell"])
        return answers

    def no_history(self, batch: int) -> Memory:
        """The memory before a first frame."""
        zeros = self.start.new_zeros(batch, self.spec.slots, self.spec.width)
        return Memory(slots=zeros, cell=zeros)

    def _encode(
        self, rgb: Real[Tensor, "b h w 3"], depth_m: Float[Tensor, "b 1 h w"]
    ) -> tuple[Float[Tensor, "b c hm wm"], Float[Tensor, "b d"]]:
        """Fused features and the pooled colour encoding."""
        encoded = self.encoder(rgb)
        color = self.pyramid(encoded.maps)[_TOKEN_STRIDE]
        return self.fuse(torch.cat([color, self.depth(depth_m)], dim=1)), encoded.pooled

    def _remember(
        self,
        features: Float[Tensor, "b c hm wm"],
        pooled: Float[Tensor, "b d"],
        memory: Memory,
    ) -> dict[str, Tensor]:
        height, width = features.shape[2:]
        places = place_grid(height, width, device=features.device).flatten(2).transpose(1, 2)
        tokens = self.tokens(features.flatten(2).transpose(1, 2) + self.place(places))
        start = self.start + self.from_memory(memory.slots)
        seen, logits = self.attention(tokens, start)
        before = (memory.slots.flatten(0, 1), memory.cell.flatten(0, 1))
        slots, cell = (x.view_as(seen) for x in self.memory(seen.flatten(0, 1), before))
        embedding = self.embedding(torch.cat([pooled, slots.mean(dim=1)], dim=1))
        return {
            "features": features.float(),
            "embedding": F.normalize(embedding.float(), dim=1),
            "slots": slots.float(),
            "slot_masks": logits.float().softmax(dim=1).unflatten(2, (height, width)),
            "cell": cell.float(),
        }


class _InOrder(nn.Module):
    """The model as exported: it returns a tuple in the order of its roles."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(
        self,
        rgb: Real[Tensor, "b h w 3"],
        depth_m: Float[Tensor, "b 1 h w"],
        past_slots: Float[Tensor, "b slots d"],
        past_cell: Float[Tensor, "b slots d"],
    ) -> tuple[Float[Tensor, "b ..."], ...]:
        answer = self.model(rgb, depth_m, past_slots, past_cell)
        return tuple(answer[role] for role in ROLES)


def _build(spec: RgbdTemporalSpec) -> nn.Module:
    """The model with new weights, in the memory format of fast convolutions."""
    return RgbdTemporal(spec).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]


def _example(spec: RgbdTemporalSpec, batch: int) -> dict[str, Tensor]:
    """Noise with holes in the depth; every second sample without depth and history."""
    draw = torch.Generator().manual_seed(0)
    height, width = _EXAMPLE_SIZE
    rgb = torch.randint(0, 256, (batch, height, width, 3), dtype=torch.uint8, generator=draw)
    depth_m = torch.rand(batch, 1, height, width, generator=draw) * 2 + 0.3
    depth_m[..., height // 4 : height // 2, width // 4 : width // 2] = 0
    past_slots, past_cell = torch.randn(2, batch, spec.slots, spec.width, generator=draw).tanh()
    for given in (depth_m, past_slots, past_cell):
        given[1::2] = 0
    return {"rgb": rgb, "depth_m": depth_m, "past_slots": past_slots, "past_cell": past_cell}


def _graphs(model: nn.Module, spec: RgbdTemporalSpec, size: Size) -> tuple[Graph, ...]:
    batch = torch.export.Dim("batch", min=1, max=256)
    memory = torch.zeros(2, spec.slots, spec.width)
    example = {
        "rgb": torch.zeros(2, size.height_px, size.width_px, 3, dtype=torch.uint8),
        "depth_m": torch.ones(2, 1, size.height_px, size.width_px),
        "past_slots": memory,
        "past_cell": memory.clone(),
    }
    return (
        Graph(
            file="model.onnx",
            module=_InOrder(model),
            example=example,
            outputs={role: role for role in ROLES},
            dynamic={name: {0: batch} for name in example},
        ),
    )


def _image(spec: RgbdTemporalSpec, size: Size) -> ModelInput:
    """The input of single-picture models, plus depth and the carried memory."""
    shape = (spec.slots, spec.width)
    carried = tuple(
        CarriedState(input=f"past_{name}", output=name, shape=shape) for name in ("slots", "cell")
    )
    return picture_input(size).model_copy(update={"depth_name": "depth_m", "carried": carried})


card = Card(
    name="rgbd-temporal",
    about=(
        "Slots: the objects in view and the pixels of each, from colour, optional depth and a "
        "memory of the frames before; also a feature grid and an embedding."
    ),
    paper="arXiv:2006.15055, arXiv:2111.12594",
    task="rgbd_temporal",
    spec=RgbdTemporalSpec(),
    tiny=RgbdTemporalSpec(encoder=_SMALL_ENCODER, width=8, depth_width=4, slots=3, embedding=5),
    build=_build,
    example=_example,
    inputs={
        "rgb": "b h w 3",
        "depth_m": "b 1 h w",
        "past_slots": "b slots width",
        "past_cell": "b slots width",
    },
    outputs={
        "features": "b width h/4 w/4",
        "embedding": "b embedding",
        "slots": "b slots width",
        "slot_masks": "b slots h/4 w/4",
        "cell": "b slots width",
    },
    most_parameters=2_000_000,
    serving=Serving(graphs=_graphs, format="features", image=_image),
    limits=(
        "Slots separate what counts as an object in the training scenes; with more objects than "
        "slots, several share one. Trained on drifting stills, not on moving objects."
    ),
)
register_model(card)
