"""Predicts a chunk step by step: each step depends on those before it."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from robot_vision.models.fusion.fusion import Fused
from robot_vision.models.heads.action_loss import ActionLossOptions
from robot_vision.models.heads.direct import DirectHead
from robot_vision.models.heads.head import HEADS


@HEADS.register("lstm")
class LstmHead(DirectHead):
    """An LSTM that starts from the summary and takes its own last action as input.

    It gets its own actions in training too, so that training and service match.
    """

    def __init__(
        self, options: ActionLossOptions, *, width: int, horizon: int, actions: int
    ) -> None:
        super().__init__(options, width=width, horizon=horizon, actions=actions)
        self.start = nn.Linear(width, 2 * width)
        self.steps = nn.Parameter(0.02 * torch.randn(horizon, width))
        self.cell = nn.LSTMCell(width + actions, width)
        self.last = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, actions))

    def out(self, fused: Fused) -> Float[Tensor, "b t a"]:
        hidden, cell = self.start(fused.summary).chunk(2, dim=1)
        said, found = fused.summary.new_zeros(len(hidden), self.actions), list[Tensor]()
        for step in self.steps.unbind(0):
            given = torch.cat([step.expand(len(hidden), -1), said], dim=1)
            hidden, cell = self.cell(given, (hidden, cell))
            said = self.last(hidden)
            found.append(said)
        return torch.stack(found, dim=1)
