"""Flow matching: noise becomes a chunk in a few steps, so multimodal actions can be learnt."""

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from robot_vision.core.parameters.params import param
from robot_vision.models.fusion.fusion import Fused
from robot_vision.models.heads.action_loss import mean_of_valid
from robot_vision.models.heads.head import HEADS, Head
from robot_vision.models.layers.attention import AttentionOptions, perceptron
from robot_vision.models.layers.decoder import Decoder
from robot_vision.models.loss import Loss

_WAVES = 16
# Times are sampled as in pi0, more often at high noise: Beta(1.5, 1).
_EARLY, _LATEST = 1.5, 0.999


class FlowOptions(AttentionOptions):
    steps: int = param(5, "steps from noise to a chunk in service", ge=1, le=100)


@HEADS.register("flow")
class FlowHead(Head):
    """Flow matching (arXiv:2210.02747) by a decoder, as in pi0 (arXiv:2410.24164).

    Trained on straight paths from noise to the demonstrated action; served with Euler's method.
    Zeros, the most likely noise, give one fixed chunk. Where demonstrations agree it is close to
    them; where they differ it is wherever their flows lead the centre of the noise, which may be
    one of them or between them. It is not proven to be the most likely chunk.
    """

    Options = FlowOptions
    waves: Float[Tensor, " waves"]

    def __init__(self, options: FlowOptions, *, width: int, horizon: int, actions: int) -> None:
        super().__init__(options, width=width, horizon=horizon, actions=actions)
        waves = torch.logspace(0, math.log10(100), _WAVES)
        self.register_buffer("waves", waves, persistent=False)
        self.time = perceptron(2 * _WAVES, 2 * width, width)
        self.noisy = nn.Linear(actions, width)
        self.steps = nn.Parameter(0.02 * torch.randn(horizon, width))
        self.decoder = Decoder(width, heads=options.heads, layers=options.layers)
        self.last = nn.Linear(width, actions)

    @property
    def noise_shape(self) -> tuple[int, ...]:
        return (self.horizon, self.actions)

    def forward(
        self, fused: Fused, noise: Float[Tensor, "b t a"] | None
    ) -> Float[Tensor, "b t a"]:
        count, chunk = self.options.steps, noise
        if chunk is None:
            chunk = fused.summary.new_zeros(len(fused.summary), *self.noise_shape)
        for step in range(count):
            time = torch.full_like(chunk[:, 0, 0], step / count)
            chunk = chunk + self.velocity(fused, chunk, time) / count
        return chunk

    def loss(
        self, fused: Fused, action: Float[Tensor, "b t a"], valid: Bool[Tensor, "b t"]
    ) -> Loss:
        action = torch.where(valid.unsqueeze(-1), action, 0.0)  # steps attend to each other
        drawn = torch.rand(len(action), device=action.device)
        time = _LATEST * (1 - drawn ** (1 / _EARLY))
        noise, part = torch.randn_like(action), time[:, None, None]
        found = self.velocity(fused, (1 - part) * noise + part * action, time)
        total = mean_of_valid((found - (action - noise)).square(), valid)
        return total, {"flow": total.detach()}

    def velocity(
        self, fused: Fused, chunk: Float[Tensor, "b t a"], time: Float[Tensor, " b"]
    ) -> Float[Tensor, "b t a"]:
        """Velocity of a chunk at a time from 0 (noise) to 1 (action)."""
        angle = time[:, None] * self.waves
        when = self.time(torch.cat([angle.sin(), angle.cos()], dim=1))
        queries = self.noisy(chunk) + self.steps + (when + fused.summary)[:, None]
        return self.last(self.decoder(queries, fused.tokens, fused.present))
