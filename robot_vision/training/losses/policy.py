"""Losses of the policy: point at the target, and move like the expert."""

import torch
from jaxtyping import Real
from torch import Tensor

from robot_vision.models.loss import Loss
from robot_vision.training.data.policy_batches import PolicyBatch

_POINTING = 0.5
_DESTINATION = 0.25
_TRAVEL = 0.5
# Position, rotation and gripper: weighted by how much they decide a task's success.
_COLUMN_WEIGHT = (1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.7)


def policy_loss(out: dict[str, Tensor], batch: PolicyBatch) -> Loss:
    """The total, and its parts.

    Pointing is the cross entropy over all valid targets together: two tokens of one
    object are both right. Actions use their absolute error, per step and cumulated.
    """
    log_share = out["pointers"].log_softmax(dim=-1)
    right = log_share.masked_fill(~batch.pointers, -1e9).logsumexp(dim=-1)
    known = batch.pointers.any(dim=-1)
    pointing = -(right * known).sum(0) / known.sum(0).clamp(min=1)
    weight = torch.tensor(_COLUMN_WEIGHT, device=batch.action.device)
    moves = batch.moves[:, None, None].to(batch.action.dtype)
    error = (out["action"] - batch.action) * weight * moves
    count = (moves.sum() * batch.action.shape[1] * 7).clamp(min=1)
    action = error.abs().sum() / count
    steps = torch.arange(1, batch.action.shape[1] + 1, device=error.device)
    travel = (error[..., :6].cumsum(dim=1) / steps[:, None] ** 0.5).abs().sum() / count
    parts = {
        "target": pointing[0],
        "destination": pointing[1],
        "action": action,
        "travel": travel,
    }
    total = _POINTING * pointing[0] + _DESTINATION * pointing[1] + action + _TRAVEL * travel
    return total, parts


def policy_figures(out: dict[str, Tensor], batch: PolicyBatch) -> dict[str, Real[Tensor, ""]]:
    """Sums over the batch, from which `mean_figures` computes a set's figures."""
    best = out["pointers"].argmax(dim=-1, keepdim=True)
    hit = batch.pointers.gather(2, best).squeeze(-1)
    holds = ~batch.moves
    says_nothing = best[:, 0, 0] == out["pointers"].shape[-1] - 1
    error = (out["action"] - batch.action).abs()[batch.moves]
    return {
        "moving": batch.moves.sum(),
        "holding": holds.sum(),
        "target_hits": (hit[:, 0] & batch.moves).sum(),
        "destination_hits": (hit[:, 1] & batch.moves).sum(),
        "held": (says_nothing & holds).sum(),
        "held_wrongly": (says_nothing & batch.moves).sum(),
        "place_error": error[..., :3].mean(dim=(1, 2)).sum(),
        "turn_error": error[..., 3:6].mean(dim=(1, 2)).sum(),
        "gripper_error": error[..., 6].mean(dim=1).sum(),
    }


def mean_figures(sums: dict[str, float]) -> dict[str, float]:
    """Shares of correct pointing and holding, mean errors in units of the statistics."""
    moving, holding = max(1.0, sums["moving"]), max(1.0, sums["holding"])
    return {
        "val_target": sums["target_hits"] / moving,
        "val_destination": sums["destination_hits"] / moving,
        "val_held": sums["held"] / holding,
        "val_held_wrongly": sums["held_wrongly"] / moving,
        "val_place": sums["place_error"] / moving,
        "val_turn": sums["turn_error"] / moving,
        "val_gripper": sums["gripper_error"] / moving,
    }
