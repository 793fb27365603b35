"""What every action head keeps: shapes, gradients, valid steps, noise, a gripper in its range."""

from typing import Any

import pytest
import torch
from seen_rig import noise
from torch import Tensor

from robot_vision.models.fusion.fusion import Fused
from robot_vision.models.heads.action_loss import ActionLoss
from robot_vision.models.heads.head import HEADS, Head

WIDTH, HORIZON, ACTIONS, BATCH = 16, 6, 7, 4
every_head = pytest.mark.parametrize("name", list(HEADS))
classifying = [name for name in HEADS if "gripper" in HEADS.get(name).Options.model_fields]
VALID = torch.ones(BATCH, HORIZON, dtype=torch.bool)


def build(name: str, **options: object) -> Head:
    torch.manual_seed(0)
    kind = HEADS.get(name)
    head = kind(kind.Options(**options), width=WIDTH, horizon=HORIZON, actions=ACTIONS)
    return head.eval()


def fused(seed: int = 0) -> Fused:
    return Fused(
        summary=noise(BATCH, WIDTH, seed=seed),
        tokens=noise(BATCH, 5, WIDTH, seed=seed + 1),
        present=torch.tensor([[True, True, True, False, True]]).expand(BATCH, -1),
    )


def taught(seed: int = 5) -> Tensor:
    return noise(BATCH, HORIZON, ACTIONS, seed=seed).clamp(-1, 1)


def loss(head: Head, action: Tensor, valid: Tensor = VALID) -> Tensor:
    torch.manual_seed(3)  # what flow and act draw
    return head.loss(fused(), action, valid)[0]


@every_head
def test_a_chunk_has_its_shape_and_is_the_same_each_time(name: str) -> None:
    head = build(name)
    with torch.no_grad():
        one, two = (head(fused(), None) for _ in range(2))
    assert one.shape == (BATCH, HORIZON, ACTIONS)
    assert torch.equal(one, two)


@every_head
def test_the_loss_reaches_every_part(name: str) -> None:
    head = build(name)
    loss(head, taught()).backward()
    trained = {n: p for n, p in head.named_parameters() if p.requires_grad}
    assert [n for n, p in trained.items() if p.grad is None or not p.grad.any()] == []


@every_head
def test_steps_beyond_the_end_teach_nothing(name: str) -> None:
    head, action = build(name), taught()
    valid = torch.arange(HORIZON) < torch.tensor([[6], [1], [3], [0]])
    spoilt = torch.where(valid.unsqueeze(-1), action, 9.0)
    assert torch.equal(loss(head, action, valid), loss(head, spoilt, valid))
    assert not torch.equal(loss(head, action), loss(head, action, valid))


@every_head
def test_tokens_that_are_absent_change_nothing(name: str) -> None:
    head, seen = build(name), fused()
    tokens = torch.where(seen.present.unsqueeze(-1), seen.tokens, torch.tensor(float("nan")))
    spoilt = Fused(summary=seen.summary, tokens=tokens, present=seen.present)
    with torch.no_grad():
        assert torch.equal(head(seen, None), head(spoilt, None))


@every_head
def test_parts_of_the_loss_are_named_and_detached(name: str) -> None:
    _, parts = build(name).loss(fused(), taught(), VALID)
    assert parts
    assert not any(part.requires_grad for part in parts.values())


@pytest.mark.parametrize("name", classifying)
def test_a_gripper_that_is_classified_stays_between_closed_and_open(name: str) -> None:
    head = build(name, gripper="bce")
    closed, opened = -0.4, 2.1  # as the policy's statistics may have them
    for module in head.modules():
        if isinstance(module, ActionLoss):
            module.gripper_ends.copy_(torch.tensor([closed, opened]))
    action = taught()
    action[..., -1] = torch.where(action[..., 0] > 0, opened, closed)
    optimiser, parts = torch.optim.Adam(head.parameters(), lr=5e-3), dict[str, Tensor]()
    for _ in range(80):
        optimiser.zero_grad()
        total, parts = head.loss(fused(), action, VALID)
        total.backward()
        optimiser.step()
    with torch.no_grad():
        served = head(fused(), None)[..., -1]
    assert parts.keys() >= {"action", "gripper"}
    assert served.min() >= closed
    assert served.max() <= opened
    right = ((served > (closed + opened) / 2) == (action[..., 0] > 0)).float().mean()
    assert right > 0.75  # act: its latent knew, and is zero now


@pytest.mark.parametrize("name", classifying)
def test_distances_are_those_that_were_asked_for(name: str) -> None:
    off = taught() + 3.0
    losses = {kind: loss(build(name, loss=kind), off).item() for kind in ("l1", "huber", "mse")}
    assert losses["huber"] < losses["l1"] < losses["mse"]


def test_flow_gives_other_chunks_for_other_noise_and_one_for_zeros() -> None:
    head = build("flow")
    assert head.noise_shape == (HORIZON, ACTIONS)
    zeros = torch.zeros(BATCH, *head.noise_shape)
    with torch.no_grad():
        none, still, drawn = (
            head(fused(), given) for given in (None, zeros, noise(*zeros.shape, seed=4))
        )
    assert torch.equal(none, still)
    assert (drawn - still).abs().max() > 0.1


def test_flow_learns_both_of_two_ways_where_a_regression_gives_their_mean() -> None:
    ways = torch.tensor([-1.0, 1.0]).repeat(16)[:, None, None].expand(-1, HORIZON, ACTIONS)
    seen = Fused(
        summary=torch.zeros(32, WIDTH),
        tokens=torch.zeros(32, 1, WIDTH),
        present=torch.ones(32, 1, dtype=torch.bool),
    )
    head = build("flow", layers=1, steps=10)
    optimiser = torch.optim.Adam(head.parameters(), lr=5e-3)
    valid = torch.ones(32, HORIZON, dtype=torch.bool)
    torch.manual_seed(1)
    for _ in range(150):
        optimiser.zero_grad()
        head.loss(seen, ways, valid)[0].backward()
        optimiser.step()
    with torch.no_grad():
        drawn = head(seen, noise(32, HORIZON, ACTIONS, seed=2)).mean(dim=(1, 2))
    assert ((drawn.abs() - 1).abs() < 0.4).float().mean() > 0.8
    assert 0.15 < (drawn > 0).float().mean() < 0.85


def test_act_serves_the_mean_of_its_latent_and_reads_what_was_taught_while_training() -> None:
    head: Any = build("act")
    zero = torch.zeros(BATCH, head.options.latent)
    with torch.no_grad():
        assert torch.equal(head(fused(), None), head.decode(fused(), zero))
        mean, log_variance = head.posterior(fused(), taught(), VALID)
        other, _ = head.posterior(fused(), taught(8), VALID)
    assert mean.shape == log_variance.shape == zero.shape
    assert (mean - other).abs().max() > 1e-3
