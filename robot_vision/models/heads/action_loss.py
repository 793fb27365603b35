"""How far a predicted chunk is from the one that was taught: choices common to all heads."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from robot_vision.core.params import Params, param


class ActionLossOptions(Params):
    """Of heads that predict the chunk itself."""

    loss: Literal["l1", "huber", "mse"] = param("l1", "distance of the numbers of an action")
    gripper: Literal["as_others", "bce"] = param(
        "as_others", "the gripper as a number like the others, or as open or closed"
    )
    gripper_weight: float = param(0.3, "weight of the cross-entropy of `bce`", ge=0, le=100)


class ActionLoss(nn.Module):
    """Turns what a head puts out into a chunk, and says how wrong it is.

    With `bce` the last number put out is a logit of an open gripper; `gripper_ends` are what
    closed and open are after normalisation, set from the policy's statistics.
    """

    gripper_ends: Tensor

    def __init__(self, options: ActionLossOptions) -> None:
        super().__init__()
        self.options = options
        self.register_buffer("gripper_ends", torch.tensor([-1.0, 1.0]))

    def chunk(self, out: Tensor) -> Tensor:
        """f32 [b,t,a] as it is served."""
        if self.options.gripper != "bce":
            return out
        closed, opened = self.gripper_ends
        gripper = closed + (opened - closed) * out[..., -1:].sigmoid()
        return torch.cat([out[..., :-1], gripper], dim=-1)

    def forward(
        self, out: Tensor, action: Tensor, valid: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The total and its parts for a chunk put out and one taught, f32 [b,t,a]."""
        if self.options.gripper != "bce":
            total = self._distance(out, action, valid)
            return total, {"action": total.detach()}
        action_part = self._distance(out[..., :-1], action[..., :-1], valid)
        closed, opened = self.gripper_ends
        is_open = ((action[..., -1] - closed) / (opened - closed)).clamp(0, 1)
        each = F.binary_cross_entropy_with_logits(out[..., -1], is_open, reduction="none")
        gripper = mean_of_valid(each.unsqueeze(-1), valid)
        total = action_part + self.options.gripper_weight * gripper
        return total, {"action": action_part.detach(), "gripper": gripper.detach()}

    def _distance(self, out: Tensor, action: Tensor, valid: Tensor) -> Tensor:
        distance = {"l1": F.l1_loss, "huber": F.smooth_l1_loss, "mse": F.mse_loss}
        return mean_of_valid(distance[self.options.loss](out, action, reduction="none"), valid)


def mean_of_valid(each: Tensor, valid: Tensor) -> Tensor:
    """Mean of values f32 [b,t,a] over the steps that are valid (bool [b,t])."""
    weights = valid.unsqueeze(-1).to(each.dtype)
    each = torch.where(valid.unsqueeze(-1), each, 0.0)
    return each.sum() / (weights.sum() * each.shape[-1]).clamp(min=1)
