"""Heads that predict the chunk itself: what they share."""

from abc import abstractmethod

from torch import Tensor

from robot_vision.models.fusion.fusion import Fused
from robot_vision.models.heads.action_loss import ActionLoss, ActionLossOptions
from robot_vision.models.heads.head import Head


class DirectHead(Head):
    """A subclass says in `out` what it makes of what was fused, f32 [b,t,a]."""

    Options = ActionLossOptions

    def __init__(
        self, options: ActionLossOptions, *, width: int, horizon: int, actions: int
    ) -> None:
        super().__init__(options, width=width, horizon=horizon, actions=actions)
        self.error = ActionLoss(options)

    @abstractmethod
    def out(self, fused: Fused) -> Tensor:
        """Before the gripper's logit, if it is one, becomes its number."""

    def forward(self, fused: Fused, noise: Tensor | None) -> Tensor:
        del noise
        return self.error.chunk(self.out(fused))

    def loss(
        self, fused: Fused, action: Tensor, valid: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        return self.error(self.out(fused), action, valid)
