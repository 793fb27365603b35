"""What every action head does: a chunk of actions from what was fused, and its own loss."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from jaxtyping import Bool, Float32
from torch import Tensor, nn

from robot_vision.core.params import Params
from robot_vision.core.registry import Registry
from robot_vision.models.fusion.fusion import Fused


class Head(nn.Module, ABC):
    """Predicts `horizon` steps of `actions` numbers, normalised by the policy's statistics.

    The last number is the gripper, normalised as the others; heads that are trained for it by
    cross-entropy map its probability to that scale.
    """

    Options: ClassVar[type[Params]] = Params

    def __init__(self, options: Any, *, width: int, horizon: int, actions: int) -> None:
        super().__init__()
        self.options, self.width, self.horizon, self.actions = options, width, horizon, actions

    @property
    def noise_shape(self) -> tuple[int, ...]:
        """Of what is drawn for a chunk (without the batch), standard normal; empty for nothing."""
        return ()

    @abstractmethod
    def forward(
        self, fused: Fused, noise: Float32[Tensor, "..."] | None
    ) -> Float32[Tensor, "b t a"]:
        """The chunk as it is served. Zeros as noise (or None) give always the same chunk."""

    @abstractmethod
    def loss(
        self,
        fused: Fused,
        action: Float32[Tensor, "b t a"],
        valid: Bool[Tensor, "b t"],
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The total to descend and its named parts, detached; steps beyond the end are not
        `valid`."""


HEADS: Registry[type[Head]] = Registry("action head", package="robot_vision.models.heads")
