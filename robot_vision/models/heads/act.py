"""ACT: a decoder with a latent for the differences between demonstrations of one scene."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from robot_vision.core.parameters.params import param
from robot_vision.models.fusion.fusion import Fused
from robot_vision.models.heads.head import HEADS
from robot_vision.models.heads.transformer import StepDecoder, TransformerHeadOptions
from robot_vision.models.layers.attention import hiding_bias, self_block
from robot_vision.models.loss import Loss


class ActOptions(TransformerHeadOptions):
    latent: int = param(16, "size of the latent", ge=1, le=1024)
    kl_weight: float = param(
        0.1, "weight of the latent's KL divergence from a normal", ge=0, le=1e4
    )


@HEADS.register("act")
class ActHead(StepDecoder):
    """A conditional VAE over chunks (ACT, arXiv:2304.13705).

    During training an encoder infers the latent from the demonstrated chunk; in service the
    latent is zero, its prior mean.
    """

    Options = ActOptions

    def __init__(self, options: ActOptions, *, width: int, horizon: int, actions: int) -> None:
        super().__init__(options, width=width, horizon=horizon, actions=actions)
        self.taught = nn.Linear(actions, width)
        self.taught_steps = nn.Parameter(0.02 * torch.randn(horizon, width))
        self.readout = nn.Parameter(0.02 * torch.randn(1, 1, width))
        self.blocks = nn.ModuleList(
            self_block(width, options.heads) for _ in range(options.layers)
        )
        self.norm = nn.LayerNorm(width)
        self.latent = nn.Linear(width, 2 * options.latent)
        self.from_latent = nn.Linear(options.latent, width)

    def out(self, fused: Fused) -> Float[Tensor, "b t a"]:
        return self.decode(fused, fused.summary.new_zeros(len(fused.summary), self.options.latent))

    def decode(self, fused: Fused, latent: Float[Tensor, "b latent"]) -> Float[Tensor, "b t a"]:
        """The chunk for a latent."""
        return self.decoded(fused, fused.summary + self.from_latent(latent))

    def loss(
        self, fused: Fused, action: Float[Tensor, "b t a"], valid: Bool[Tensor, "b t"]
    ) -> Loss:
        mean, log_variance = self.posterior(fused, action, valid)
        latent = mean + torch.randn_like(mean) * (log_variance / 2).exp()
        total, parts = self.error(self.decode(fused, latent), action, valid)
        divergence = (mean.square() + log_variance.exp() - 1 - log_variance).mean() / 2
        total = total + self.options.kl_weight * divergence
        return total, parts | {"kl": divergence.detach()}

    def posterior(
        self, fused: Fused, action: Float[Tensor, "b t a"], valid: Bool[Tensor, "b t"]
    ) -> tuple[Float[Tensor, "b latent"], Float[Tensor, "b latent"]]:
        """Mean and log variance of the latent."""
        steps = self.taught(action) + self.taught_steps
        first = self.readout.expand(len(action), -1, -1)
        rows = torch.cat([first, fused.summary[:, None], steps], dim=1)
        present = torch.cat([torch.ones_like(valid[:, :1]).expand(-1, 2), valid], dim=1)
        bias = hiding_bias(present)
        for block in self.blocks:
            rows = block(rows, None, bias)
        mean, log_variance = self.latent(self.norm(rows[:, 0])).chunk(2, dim=1)
        return mean, log_variance.clamp(-8.0, 8.0)
