"""The interface of action heads: a chunk of actions from fused tokens, and a loss."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from jaxtyping import Bool, Float
from torch import Tensor, nn

from robot_vision.core.parameters.params import Params
from robot_vision.core.registry import Registry
from robot_vision.models.fusion.fusion import Fused
from robot_vision.models.loss import Loss


class Head(nn.Module, ABC):
    """Predicts `horizon` steps of `actions` numbers, normalised by the policy's statistics.

    The last number is the gripper, normalised like the others; heads that train it with
    cross-entropy map its probability to that scale.
    """

    Options: ClassVar[type[Params]] = Params

    def __init__(self, options: Any, *, width: int, horizon: int, actions: int) -> None:
        super().__init__()
        self.options, self.width, self.horizon, self.actions = options, width, horizon, actions

    @property
    def noise_shape(self) -> tuple[int, ...]:
        """Shape of the standard normal noise of a chunk, without the batch; empty for no noise."""
        return ()

    @abstractmethod
    def forward(
        self, fused: Fused, noise: Float[Tensor, "b t a"] | None
    ) -> Float[Tensor, "b t a"]:
        """The chunk as it is served. Without noise, or with zeros, it is deterministic."""

    @abstractmethod
    def loss(
        self, fused: Fused, action: Float[Tensor, "b t a"], valid: Bool[Tensor, "b t"]
    ) -> Loss:
        """The loss over the steps that are `valid`; those beyond the end of an episode are not."""


HEADS: Registry[type[Head]] = Registry("action head", package="robot_vision.models.heads")
