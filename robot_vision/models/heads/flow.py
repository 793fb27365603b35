"""Flow matching: noise becomes a chunk in a few steps, so that several ways can be learnt."""

import math

import torch
from torch import Tensor, nn

from robot_vision.core.params import param
from robot_vision.models.fusion.fusion import Fused
from robot_vision.models.heads.action_loss import mean_of_valid
from robot_vision.models.heads.head import HEADS, Head
from robot_vision.models.layers.attention import AttentionOptions, perceptron
from robot_vision.models.layers.decoder import Decoder

_WAVES = 16
# Times are drawn as pi0 has them, more of them where there is much noise: Beta(1.5, 1).
_EARLY, _LATEST = 1.5, 0.999


class FlowOptions(AttentionOptions):
    steps: int = param(5, "steps from noise to a chunk in service", ge=1, le=100)


@HEADS.register("flow")
class FlowHead(Head):
    """Flow matching (arXiv:2210.02747) by a decoder, as in pi0 (arXiv:2410.24164).

    Trained on straight paths from noise to what was taught; served by Euler's method. Zeros, the
    most likely noise, give one fixed chunk: where one way was taught that is close to it, where
    several were it is what their flows lead the middle of the noise to, one of them or between.
    It is not proven to be the most likely chunk.
    """

    Options = FlowOptions
    waves: Tensor

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

    def forward(self, fused: Fused, noise: Tensor | None) -> Tensor:
        count, chunk = self.options.steps, noise
        if chunk is None:
            chunk = fused.summary.new_zeros(len(fused.summary), *self.noise_shape)
        for step in range(count):
            time = torch.full_like(chunk[:, 0, 0], step / count)
            chunk = chunk + self.velocity(fused, chunk, time) / count
        return chunk

    def loss(
        self, fused: Fused, action: Tensor, valid: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        action = torch.where(valid.unsqueeze(-1), action, 0.0)  # steps see each other
        drawn = torch.rand(len(action), device=action.device)
        time = _LATEST * (1 - drawn ** (1 / _EARLY))
        noise, part = torch.randn_like(action), time[:, None, None]
        found = self.velocity(fused, (1 - part) * noise + part * action, time)
        total = mean_of_valid((found - (action - noise)).square(), valid)
        return total, {"flow": total.detach()}

    def velocity(self, fused: Fused, chunk: Tensor, time: Tensor) -> Tensor:
        """Where a chunk f32 [b,t,a] moves at a time f32 [b] from 0 (noise) to 1 (action)."""
        angle = time[:, None] * self.waves
        when = self.time(torch.cat([angle.sin(), angle.cos()], dim=1))
        queries = self.noisy(chunk) + self.steps + (when + fused.summary)[:, None]
        return self.last(self.decoder(queries, fused.tokens, fused.present))
