"""Slots from colour and depth over time: what things there are, which pixels each has.

Colour and depth are encoded apart and fused into tokens at a quarter of the size. Slot attention
parts the tokens among slots; an LSTM remembers each slot from frame to frame, and its memory is
where the slot begins in the next frame (as in SAVi, arXiv:2111.12594).
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from robot_vision.core.params import Params, param
from robot_vision.models.encoders.encoder import EncoderChoice
from robot_vision.models.encoders.picture_encoder import PictureEncoder
from robot_vision.models.layers.pyramid import Pyramid
from robot_vision.models.layers.separable import ConvNorm, SeparableBlock
from robot_vision.models.layers.slot_attention import SlotAttention, place_grid
from robot_vision.models.temporal.depth_encoder import DepthEncoder

TOKEN_STRIDE = 4
_PYRAMID_STRIDES = (4, 8, 16, 32)


class RgbdTemporalSpec(Params):
    encoder: EncoderChoice = param(EncoderChoice(name="realtime"), "of colour")
    width: int = param(64, "channels of tokens, slots and memory", ge=4, le=4096)
    depth_width: int = param(24, "channels of the depth encoder", ge=2, le=4096)
    slots: int = param(7, "things and parts of the background held apart", ge=2, le=64)
    iterations: int = param(3, "rounds of slot attention", ge=1, le=16)
    embedding: int = param(64, "width of the embedding", ge=1, le=4096)


@dataclass(frozen=True, kw_only=True, eq=False)
class Memory:
    """What is carried from frame to frame, f32 [b,slots,width] each; zeros are no history."""

    hidden: Tensor
    cell: Tensor


class RgbdTemporal(nn.Module):
    """`forward(rgb u8 [b,h,w,3], depth_m f32 [b,1,h,w], hidden, cell f32 [b,slots,width])`.

    `depth_m` is 0 where invalid, all zeros without a sensor; `hidden` and `cell` are what the
    last frame gave as `next_hidden` and `next_cell`, zeros without a history.
    """

    def __init__(self, spec: RgbdTemporalSpec) -> None:
        super().__init__()
        self.spec = spec
        width = spec.width
        self.encoder = PictureEncoder(spec.encoder)
        self.pyramid = Pyramid(
            self.encoder.strides, self.encoder.channels, width=width, strides=_PYRAMID_STRIDES
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
        self, rgb: Tensor, depth_m: Tensor, hidden: Tensor, cell: Tensor
    ) -> dict[str, Tensor]:
        features, pooled = self._encode(rgb, depth_m)
        return self._remember(features, pooled, Memory(hidden=hidden, cell=cell))

    def sequence(self, rgb: Tensor, depth_m: Tensor) -> list[dict[str, Tensor]]:
        """Answers by frame for `rgb` u8 [b,t,h,w,3], `depth_m` f32 [b,t,1,h,w], from no history.

        All frames are encoded in one pass: equal to frame by frame, with the memory handed on.
        """
        features, pooled = self._encode(rgb.flatten(0, 1), depth_m.flatten(0, 1))
        frames = zip(
            features.unflatten(0, rgb.shape[:2]).unbind(1),
            pooled.unflatten(0, rgb.shape[:2]).unbind(1),
            strict=True,
        )
        memory, answers = self.no_history(len(rgb)), []
        for frame_features, frame_pooled in frames:
            answers.append(self._remember(frame_features, frame_pooled, memory))
            memory = Memory(hidden=answers[-1]["next_hidden"], cell=answers[-1]["next_cell"])
        return answers

    def no_history(self, batch: int) -> Memory:
        """The memory before a first frame."""
        zeros = self.start.new_zeros(batch, self.spec.slots, self.spec.width)
        return Memory(hidden=zeros, cell=zeros)

    def _encode(self, rgb: Tensor, depth_m: Tensor) -> tuple[Tensor, Tensor]:
        """Fused features [b,width,h/4,w/4] and the pooled colour encoding [b,dim]."""
        encoded = self.encoder(rgb)
        color = self.pyramid(encoded.maps)[0]
        return self.fuse(torch.cat([color, self.depth(depth_m)], dim=1)), encoded.pooled

    def _remember(self, features: Tensor, pooled: Tensor, memory: Memory) -> dict[str, Tensor]:
        height, width = features.shape[2:]
        places = place_grid(height, width, device=features.device).flatten(2).transpose(1, 2)
        tokens = self.tokens(features.flatten(2).transpose(1, 2) + self.place(places))
        start = self.start + self.from_memory(memory.hidden)
        slots, logits = self.attention(tokens, start)
        hidden, cell = self.memory(
            slots.flatten(0, 1), (memory.hidden.flatten(0, 1), memory.cell.flatten(0, 1))
        )
        hidden, cell = hidden.view_as(slots), cell.view_as(slots)
        embedding = self.embedding(torch.cat([pooled, hidden.mean(dim=1)], dim=1))
        return {
            "features": features.float(),
            "embedding": F.normalize(embedding.float(), dim=1),
            "slots": hidden.float(),
            "slot_masks": logits.float().softmax(dim=1).unflatten(2, (height, width)),
            "next_hidden": hidden.float(),
            "next_cell": cell.float(),
        }
