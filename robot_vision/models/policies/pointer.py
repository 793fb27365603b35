"""The policy: a small language encoder, and a network from tokens to a chunk of actions.

Words attend to what is seen and what is seen attends to words (two-way attention, as SAM's mask
decoder, arXiv:2304.02643, has it between prompts and image). Pointers (arXiv:1506.03134) name the
object that is meant and where it is to go; their geometry goes straight into the action head,
which predicts a chunk of steps at once (ACT, arXiv:2304.13705, without its latent).
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from robot_vision.models.registry import MODELS

_NEVER = -1e4
# Lengths at which the head is told of a distance, so that millimetres matter as metres do.
_SCALES_M = (0.3, 0.08, 0.02)


@dataclass(frozen=True, kw_only=True)
class PolicySpec:
    """Sizes of the network, and of the tokens it takes."""

    words: int
    max_words: int
    object_width: int
    geometry_width: int
    centre_from_tool_at: int
    visual_cells: int
    visual_width: int
    robot_width: int
    horizon: int
    width: int = 96
    heads: int = 4
    layers: int = 2
    head_width: int = 256
    head_depth: int = 3


class Attention(nn.Module):
    """Multi-head attention from `x` to `y`; `bias` is added to the logits ([B,1,Q,K] or None)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor, y: Tensor, bias: Tensor | None) -> Tensor:
        query, key, value = self._split(self.query(x)), self._split(self.key(y)), self.value(y)
        found = F.scaled_dot_product_attention(query, key, self._split(value), attn_mask=bias)
        return self.out(found.transpose(1, 2).flatten(2))

    def weights(self, x: Tensor, y: Tensor, bias: Tensor | None) -> Tensor:
        """Mean of the heads' weights, [B,Q,K]."""
        query, key = self._split(self.query(x)), self._split(self.key(y))
        logits = query @ key.transpose(2, 3) / query.shape[-1] ** 0.5
        return (logits if bias is None else logits + bias).softmax(dim=-1).mean(dim=1)

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(2, (self.heads, -1)).transpose(1, 2)


class Block(nn.Module):
    """Pre-norm attention to `y` (or to itself) and a feed-forward part, both residual."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm_x, self.norm_y = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.feed = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, 2 * width),
            nn.GELU(),
            nn.Linear(2 * width, width),
        )

    def forward(self, x: Tensor, y: Tensor | None, bias: Tensor | None) -> Tensor:
        normed = self.norm_x(x)
        x = x + self.attention(normed, normed if y is None else self.norm_y(y), bias)
        return x + self.feed(x)


class LanguageEncoder(nn.Module):
    """`forward(tokens i64 [B,L])` → encodings f32 [B,L,D]; token 0 is padding."""

    def __init__(self, spec: PolicySpec) -> None:
        super().__init__()
        self.word = nn.Embedding(spec.words + 1, spec.width)
        self.place = nn.Parameter(0.02 * torch.randn(spec.max_words, spec.width))
        self.blocks = nn.ModuleList(Block(spec.width, spec.heads) for _ in range(2))
        self.norm = nn.LayerNorm(spec.width)

    def forward(self, tokens: Tensor) -> Tensor:
        bias = _bias(tokens > 0)
        x = self.word(tokens) + self.place[: tokens.shape[1]]
        for block in self.blocks:
            x = block(x, None, bias)
        return self.norm(x)


class TwoWayLayer(nn.Module):
    """Scene tokens among themselves and to words and view; words and view to the scene."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.scene_to_all = Block(width, heads)
        self.scene_to_visual = Block(width, heads)
        self.text_to_seen = Block(width, heads)

    def forward(
        self,
        text: Tensor,
        scene: Tensor,
        visual: Tensor,
        *,
        text_bias: Tensor,
        scene_bias: Tensor,
        visual_bias: Tensor,
    ) -> tuple[Tensor, Tensor]:
        seen = torch.cat([scene, visual], dim=1)
        seen_bias = torch.cat([scene_bias, visual_bias], dim=-1)
        text = self.text_to_seen(text, seen, seen_bias)
        known = torch.cat([scene, text], dim=1)
        scene = self.scene_to_all(scene, known, torch.cat([scene_bias, text_bias], dim=-1))
        return text, self.scene_to_visual(scene, visual, visual_bias)


class PolicyNetwork(nn.Module):
    """Tokens → a chunk of normalised actions, pointers and attention. See `forward`."""

    def __init__(self, spec: PolicySpec) -> None:
        super().__init__()
        self.spec = spec
        width = spec.width
        for name, size in (
            ("objects", spec.object_width),
            ("visual", spec.visual_width),
            ("robot", spec.robot_width),
        ):
            self.register_buffer(f"{name}_mean", torch.zeros(size))
            self.register_buffer(f"{name}_scale", torch.ones(size))
        self.object_in = _perceptron(spec.object_width, 2 * width, width)
        self.visual_in = nn.Linear(spec.visual_width, width)
        self.visual_place = nn.Parameter(0.02 * torch.randn(spec.visual_cells, width))
        self.visual_to_text = Attention(width, spec.heads)
        self.robot_in = _perceptron(spec.robot_width, 2 * width, width)
        self.special = nn.Parameter(0.02 * torch.randn(3, width))  # hand, none, act
        self.layers = nn.ModuleList(TwoWayLayer(width, spec.heads) for _ in range(spec.layers))
        self.attend = Attention(width, 1)
        self.pointers = nn.ModuleList(_perceptron(2 * width, width, 1) for _ in range(2))
        self.summary = nn.LayerNorm(width)
        pointed = spec.geometry_width + 3 * (1 + 2 * len(_SCALES_M)) + 2
        self.head_in = nn.Linear(2 * width + spec.robot_width + 2 * pointed, spec.head_width)
        self.head = nn.ModuleList(
            nn.Sequential(
                nn.LayerNorm(spec.head_width),
                nn.Linear(spec.head_width, spec.head_width),
                nn.GELU(),
                nn.Linear(spec.head_width, spec.head_width),
            )
            for _ in range(spec.head_depth)
        )
        self.head_out = nn.Linear(spec.head_width, spec.horizon * 7)

    def forward(
        self,
        text: Tensor,
        text_present: Tensor,
        objects: Tensor,
        objects_present: Tensor,
        visual: Tensor,
        visual_present: Tensor,
        robot: Tensor,
        bias: Tensor | None = None,
        pointable: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Outputs `action` [B,T,7] (normalised), `pointers` [B,2,N+2] as logits (target and
        destination; after the N objects: the hand, nothing) and `attention` [B,cells].

        `text` f32 [B,L,D] and `text_present` bool [B,L]; `objects` f32 [B,N,O] and
        `objects_present` bool [B,N]; `visual` f32 [B,cells,V] and `visual_present` bool [B,1];
        `robot` f32 [B,R]; `bias` f32 [B,2,N+2] is added to the pointers' logits before one is
        followed (`policies.target_memory`), not to those given out. `pointable` bool [B,2,N+2],
        while training, says what is right: the action head is then told of the best among these.
        """
        normal_objects = self._normal("objects", objects)
        normal_robot = self._normal("robot", robot)
        scene, scene_bias = self._scene(normal_objects, objects_present, normal_robot)
        text_bias = _bias(text_present)
        visual_bias = _bias(visual_present.expand(-1, visual.shape[1]))
        view = self.visual_in(self._normal("visual", visual)) + self.visual_place
        view = view + self.visual_to_text(view, text, text_bias)
        for layer in self.layers:
            text, scene = layer(
                text,
                scene,
                view,
                text_bias=text_bias,
                scene_bias=scene_bias,
                visual_bias=visual_bias,
            )
        count = objects.shape[1]
        act = self.summary(scene[:, count + 2])
        logits = self._point(scene[:, : count + 2], act, objects_present)
        pointed = _followed(logits, bias, pointable)
        told = [act, self.summary(_mean(text, text_present)), normal_robot]
        told += [self._geometry(objects, normal_objects, pointed[:, row]) for row in range(2)]
        return {
            "action": self._steps(torch.cat(told, dim=1)),
            "pointers": logits,
            "attention": self.attend.weights(act[:, None], view, visual_bias)[:, 0],
        }

    def _scene(
        self, normal_objects: Tensor, objects_present: Tensor, normal_robot: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Tokens of the objects, the hand, nothing, the act and the robot; and their bias."""
        special = self.special.expand(len(normal_objects), -1, -1)
        robot_token = self.robot_in(normal_robot)[:, None]
        scene = torch.cat([self.object_in(normal_objects), special, robot_token], dim=1)
        always = torch.ones_like(objects_present[:, :1]).expand(-1, special.shape[1] + 1)
        return scene, _bias(torch.cat([objects_present, always], dim=1))

    def _steps(self, told: Tensor) -> Tensor:
        """The action head: [B,T,7]."""
        x = self.head_in(told)
        for block in self.head:
            x = x + block(x)
        return self.head_out(F.gelu(x)).unflatten(1, (self.spec.horizon, 7))

    def _normal(self, name: str, tokens: Tensor) -> Tensor:
        mean, scale = getattr(self, f"{name}_mean"), getattr(self, f"{name}_scale")
        return ((tokens - mean) / scale).clamp(-6, 6)

    def _point(self, candidates: Tensor, act: Tensor, objects_present: Tensor) -> Tensor:
        pairs = torch.cat([candidates, act[:, None].expand_as(candidates)], dim=-1)
        logits = torch.stack([pointer(pairs).squeeze(-1) for pointer in self.pointers], dim=1)
        absent = torch.where(objects_present, 0.0, _NEVER)
        return logits + F.pad(absent, (0, 2))[:, None]

    def _geometry(self, objects: Tensor, normal_objects: Tensor, choice: Tensor) -> Tensor:
        """What the head is told of the object chosen: zeros but for flags if it is none."""
        spec, count = self.spec, objects.shape[1]
        chosen = F.one_hot(choice, count + 2).to(objects.dtype)
        row = chosen[:, None, :count]
        at = spec.centre_from_tool_at
        distance_m = (row @ objects[:, :, at : at + 3])[:, 0]
        normal = (row @ normal_objects[:, :, : spec.geometry_width])[:, 0]
        scaled = [distance_m * 10]
        for length in _SCALES_M:
            scaled += [torch.sin(distance_m / length), torch.tanh(distance_m / length)]
        return torch.cat([normal, *scaled, chosen[:, count:]], dim=1)


class Policy(nn.Module):
    """Both parts, as they are trained."""

    def __init__(self, spec: PolicySpec) -> None:
        super().__init__()
        self.spec = spec
        self.language = LanguageEncoder(spec)
        self.network = PolicyNetwork(spec)


def _followed(logits: Tensor, bias: Tensor | None, pointable: Tensor | None) -> Tensor:
    """What target and destination are taken to be, [B,2]."""
    allowed = logits if bias is None else logits + bias
    if pointable is not None:
        allowed = allowed.masked_fill(~pointable, 2 * _NEVER)
    return allowed.argmax(dim=-1)


def _mean(tokens: Tensor, present: Tensor) -> Tensor:
    """Mean of the tokens that are present, [B,D]."""
    weights = present.unsqueeze(-1).to(tokens.dtype)
    return (tokens * weights).sum(1) / weights.sum(1).clamp(min=1)


def _bias(present: Tensor) -> Tensor:
    """Logits' bias that hides what is not present, [B,1,1,K]."""
    return torch.where(present, 0.0, _NEVER)[:, None, None]


def _perceptron(width_in: int, width: int, width_out: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(width_in, width), nn.GELU(), nn.Linear(width, width_out))


@MODELS.register("policy-s")
def policy_s(spec: PolicySpec) -> Policy:
    """About a million parameters."""
    return Policy(spec)
