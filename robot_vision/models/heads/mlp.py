"""An MLP from the summary to the whole chunk at once."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from robot_vision.core.parameters.params import param
from robot_vision.models.fusion.fusion import Fused
from robot_vision.models.heads.action_loss import ActionLossOptions
from robot_vision.models.heads.direct import DirectHead
from robot_vision.models.heads.head import HEADS
from robot_vision.models.layers.attention import perceptron


class MlpOptions(ActionLossOptions):
    hidden: int = param(256, "width of the blocks", ge=1, le=8192)
    blocks: int = param(2, "residual blocks", ge=0, le=64)


@HEADS.register("mlp")
class MlpHead(DirectHead):
    """Residual blocks on the summary; single tokens are not used."""

    Options = MlpOptions

    def __init__(self, options: MlpOptions, *, width: int, horizon: int, actions: int) -> None:
        super().__init__(options, width=width, horizon=horizon, actions=actions)
        hidden = options.hidden
        self.into = nn.Linear(width, hidden)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(hidden), perceptron(hidden, hidden, hidden))
            for _ in range(options.blocks)
        )
        self.last = nn.Linear(hidden, horizon * actions)

    def out(self, fused: Fused) -> Float[Tensor, "b t a"]:
        x = self.into(fused.summary)
        for block in self.blocks:
            x = x + block(x)
        return self.last(F.gelu(x)).unflatten(1, (self.horizon, self.actions))
