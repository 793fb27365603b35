"""Base of heads that predict the chunk itself."""

from abc import abstractmethod

from jaxtyping import Bool, Float
from torch import Tensor

from robot_vision.models.fusion.fusion import Fused
from robot_vision.models.heads.action_loss import ActionLoss, ActionLossOptions
from robot_vision.models.heads.head import Head
from robot_vision.models.loss import Loss


class DirectHead(Head):
    """A subclass implements `out`."""

    Options = ActionLossOptions

    def __init__(
        self, options: ActionLossOptions, *, width: int, horizon: int, actions: int
    ) -> None:
        super().__init__(options, width=width, horizon=horizon, actions=actions)
        self.error = ActionLoss(options)

    @abstractmethod
    def out(self, fused: Fused) -> Float[Tensor, "b t a"]:
        """The chunk; its last number may still be the gripper's logit."""

    def forward(
        self, fused: Fused, noise: Float[Tensor, "b t a"] | None
    ) -> Float[Tensor, "b t a"]:
        del noise
        return self.error.chunk(self.out(fused))

    def loss(
        self, fused: Fused, action: Float[Tensor, "b t a"], valid: Bool[Tensor, "b t"]
    ) -> Loss:
        return self.error(self.out(fused), action, valid)
