"""The error of a predicted chunk, with the options that heads share."""

from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from robot_vision.core.parameters.params import Params, param
from robot_vision.models.loss import Loss


class ActionLossOptions(Params):
    """Options of heads that predict the chunk itself."""

    loss: Literal["l1", "huber", "mse"] = param(
        "l1", "distance between predicted and demonstrated numbers"
    )
    gripper: Literal["as_others", "bce"] = param(
        "as_others", "gripper loss: like the other numbers, or binary cross-entropy"
    )
    gripper_weight: float = param(0.3, "weight of the cross-entropy of `bce`", ge=0, le=100)


class ActionLoss(nn.Module):
    """Turns the output of a head into a chunk, and measures its error.

    With `bce` the last number of the output is the logit of an open gripper; `gripper_ends` are
    the normalised values of closed and open, set from the policy's statistics.
    """

    gripper_ends: Float[Tensor, "2"]

    def __init__(self, options: ActionLossOptions) -> None:
        super().__init__()
        self.options = options
        self.register_buffer("gripper_ends", torch.tensor([-1.0, 1.0]))

    def chunk(self, out: Float[Tensor, "b t a"]) -> Float[Tensor, "b t a"]:
        """The chunk as it is served."""
        if self.options.gripper != "bce":
            return out
        closed, opened = self.gripper_ends
        gripper = closed + (opened - closed) * out[..., -1:].sigmoid()
        return torch.cat([out[..., :-1], gripper], dim=-1)

    def forward(
        self,
        out: Float[Tensor, "b t a"],
        action: Float[Tensor, "b t a"],
        valid: Bool[Tensor, "b t"],
    ) -> Loss:
        """The loss of a head's output against the demonstrated action."""
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

    def _distance(
        self,
        out: Float[Tensor, "b t a"],
        action: Float[Tensor, "b t a"],
        valid: Bool[Tensor, "b t"],
    ) -> Float[Tensor, ""]:
        distance = {"l1": F.l1_loss, "huber": F.smooth_l1_loss, "mse": F.mse_loss}
        return mean_of_valid(distance[self.options.loss](out, action, reduction="none"), valid)


def mean_of_valid(each: Float[Tensor, "b t a"], valid: Bool[Tensor, "b t"]) -> Float[Tensor, ""]:
    """Mean over the steps that are `valid`."""
    weights = valid.unsqueeze(-1).to(each.dtype)
    each = torch.where(valid.unsqueeze(-1), each, 0.0)
    return each.sum() / (weights.sum() * each.shape[-1]).clamp(min=1)
