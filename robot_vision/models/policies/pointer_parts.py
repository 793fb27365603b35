"""The part of the policy that acts: a network from tokens to a chunk of actions.

Words attend to the scene and the scene to words (two-way attention, as between prompts and image
in SAM's mask decoder, arXiv:2304.02643). Pointers (arXiv:1506.03134) select the target object and
its destination; their geometry goes straight into the action head, which predicts a chunk of
steps at once (ACT, arXiv:2304.13705, without its latent).
"""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from pydantic import model_validator
from torch import Tensor, nn

from robot_vision.core.parameters.params import Params, param
from robot_vision.models.layers.attention import (
    NEVER,
    Attention,
    TwoWayLayer,
    hiding_bias,
    perceptron,
)
from robot_vision.models.layers.language import mean_of_present
from robot_vision.policies.observing.tokens import (
    GEOMETRY_WIDTH,
    MAX_OBJECTS,
    OBJECT_SLICES,
    OBJECT_WIDTH,
    VISUAL_COLUMNS,
    VISUAL_ROWS,
    VISUAL_WIDTH,
    robot_width,
)

# Scales at which the head sees distances, so that millimetres matter as much as metres.
_SCALES_M = (0.3, 0.08, 0.02)


class PolicySpec(Params):
    """Sizes of the network and of its input tokens (`policies/observing/tokens.py`)."""

    words: int = param(128, "size of the vocabulary; set by the training set", ge=1, le=100_000)
    max_words: int = param(24, "longest instruction", ge=1, le=128)
    max_objects: int = param(MAX_OBJECTS, "objects of an observation", ge=1, le=1024)
    object_width: int = param(OBJECT_WIDTH, "width of an object's token", ge=1, le=4096)
    geometry_width: int = param(
        GEOMETRY_WIDTH, "number of its first columns that are geometry", ge=1, le=4096
    )
    centre_from_tool_at: int = param(
        OBJECT_SLICES["centre_from_tool"].start,
        "column where its position relative to the tool begins",
        ge=0,
    )
    visual_cells: int = param(VISUAL_ROWS * VISUAL_COLUMNS, "tokens of the view", ge=1, le=4096)
    visual_width: int = param(VISUAL_WIDTH, "width of a token of the view", ge=1, le=4096)
    robot_width: int = param(robot_width(2), "width of the arm's token", ge=1, le=4096)
    horizon: int = param(12, "steps of a chunk of actions", ge=1, le=1024)
    width: int = param(96, "width of all tokens inside the network", ge=1, le=4096)
    heads: int = param(4, "attention heads; they divide `width`", ge=1, le=64)
    layers: int = param(2, "two-way layers", ge=1, le=64)
    head_width: int = param(256, "width of the action head", ge=1, le=4096)
    head_depth: int = param(3, "blocks of the action head", ge=1, le=64)

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> "PolicySpec":
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is not a multiple of heads {self.heads}")
        if max(self.geometry_width, self.centre_from_tool_at + 3) > self.object_width:
            raise ValueError(
                f"an object's token of {self.object_width} columns does not hold geometry in "
                f"{self.geometry_width} and a place from column {self.centre_from_tool_at} on"
            )
        return self


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
        self.object_in = perceptron(spec.object_width, 2 * width, width)
        self.visual_in = nn.Linear(spec.visual_width, width)
        self.visual_place = nn.Parameter(0.02 * torch.randn(spec.visual_cells, width))
        self.visual_to_text = Attention(width, spec.heads)
        self.robot_in = perceptron(spec.robot_width, 2 * width, width)
        self.special = nn.Parameter(0.02 * torch.randn(3, width))  # hand, none, act
        self.layers = nn.ModuleList(TwoWayLayer(width, spec.heads) for _ in range(spec.layers))
        self.attend = Attention(width, 1)  # its weights alone are of interest
        self.attend.value.requires_grad_(False)
        self.attend.out.requires_grad_(False)
        self.pointers = nn.ModuleList(perceptron(2 * width, width, 1) for _ in range(2))
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
        text: Float[Tensor, "b l d"],
        text_present: Bool[Tensor, "b l"],
        objects: Float[Tensor, "b n _object"],
        objects_present: Bool[Tensor, "b n"],
        visual: Float[Tensor, "b cells _visual"],
        visual_present: Bool[Tensor, "b 1"],
        robot: Float[Tensor, "b _robot"],
        bias: Float[Tensor, "b 2 n+2"] | None = None,
        pointable: Bool[Tensor, "b 2 n+2"] | None = None,
    ) -> dict[str, Tensor]:
        """Outputs `action` [b,t,7] (normalised), `pointers` [b,2,n+2] as logits (target and
        destination; after the n objects: the hand, nothing) and `attention` [b,cells].

        `bias` is added to the pointers' logits before one is followed
        (`policies/observing/target_memory.py`), but not to the logits returned. During training
        `pointable` marks the right answers: the action head gets the best among these.
        """
        normal_objects = self._normal("objects", objects)
        normal_robot = self._normal("robot", robot)
        scene, scene_bias = self._scene(normal_objects, objects_present, normal_robot)
        text_bias = hiding_bias(text_present)
        visual_bias = hiding_bias(visual_present.expand(-1, visual.shape[1]))
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
        given = [act, self.summary(mean_of_present(text, text_present)), normal_robot]
        given += [self._geometry(objects, normal_objects, pointed[:, row]) for row in range(2)]
        return {
            "action": self._steps(torch.cat(given, dim=1)),
            "pointers": logits,
            "attention": self.attend.weights(act[:, None], view, visual_bias)[:, 0],
        }

    def _scene(
        self,
        normal_objects: Float[Tensor, "b n _object"],
        objects_present: Bool[Tensor, "b n"],
        normal_robot: Float[Tensor, "b _robot"],
    ) -> tuple[Float[Tensor, "b n+4 d"], Float[Tensor, "b 1 1 n+4"]]:
        """Tokens of the objects, the hand, nothing, the act and the robot; and their bias."""
        special = self.special.expand(len(normal_objects), -1, -1)
        robot_token = self.robot_in(normal_robot)[:, None]
        scene = torch.cat([self.object_in(normal_objects), special, robot_token], dim=1)
        always = torch.ones_like(objects_present[:, :1]).expand(-1, special.shape[1] + 1)
        return scene, hiding_bias(torch.cat([objects_present, always], dim=1))

    def _steps(self, given: Float[Tensor, "b _given"]) -> Float[Tensor, "b t 7"]:
        """The action head."""
        x = self.head_in(given)
        for block in self.head:
            x = x + block(x)
        return self.head_out(F.gelu(x)).unflatten(1, (self.spec.horizon, 7))

    def _normal(
        self, name: str, tokens: Float[Tensor, "*batch numbers"]
    ) -> Float[Tensor, "*batch numbers"]:
        mean, scale = getattr(self, f"{name}_mean"), getattr(self, f"{name}_scale")
        return ((tokens - mean) / scale).clamp(-6, 6)

    def _point(
        self,
        candidates: Float[Tensor, "b m d"],
        act: Float[Tensor, "b d"],
        objects_present: Bool[Tensor, "b n"],
    ) -> Float[Tensor, "b 2 m"]:
        """Logits of the objects, the hand and nothing, for target and destination."""
        pairs = torch.cat([candidates, act[:, None].expand_as(candidates)], dim=-1)
        logits = torch.stack([pointer(pairs).squeeze(-1) for pointer in self.pointers], dim=1)
        absent = torch.where(objects_present, 0.0, NEVER)
        return logits + F.pad(absent, (0, 2))[:, None]

    def _geometry(
        self,
        objects: Float[Tensor, "b n o"],
        normal_objects: Float[Tensor, "b n o"],
        choice: Int[Tensor, " b"],
    ) -> Float[Tensor, "b _numbers"]:
        """The chosen object as the head sees it; if none is chosen, zeros apart from the flags."""
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


def _followed(
    logits: Float[Tensor, "b 2 m"],
    bias: Float[Tensor, "b 2 m"] | None,
    pointable: Bool[Tensor, "b 2 m"] | None,
) -> Int[Tensor, "b 2"]:
    """Which candidates are taken as target and destination."""
    allowed = logits if bias is None else logits + bias
    if pointable is not None:
        allowed = allowed.masked_fill(~pointable, 2 * NEVER)
    return allowed.argmax(dim=-1)
