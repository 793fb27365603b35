"""A transformer's attention: of its last layer, rollout, and relevance of a target."""

import torch
from jaxtyping import Float
from torch import Tensor

from robot_vision.explain.heat import ExplainError, Heat, checked
from robot_vision.explain.network.attention_tap import Attention, some_attention, watched
from robot_vision.explain.network.tokens import Asked, asked_token, picture_cells
from robot_vision.explain.question import Question, Way, register_way

_EMPTY = "no place of the picture is attended to"


def attention_of(
    question: Question, *, gradients: bool
) -> tuple[list[Attention], Float[Tensor, ""] | None]:
    """All attention of a run, and with `gradients` the target's logit."""
    model = question.subject.network(wanted_for="attention")
    with watched(model) as found, torch.set_grad_enabled(gradients):
        inputs = question.differentiable() if gradients else dict(question.inputs)
        answer = question.subject.run(inputs)
        logit = question.target.logit(answer).sum() if gradients else None
    return some_attention(found, question.subject.name), logit


def _last(question: Question) -> Heat:
    found, _ = attention_of(question, gradients=False)
    asked = asked_token(question, found)
    looks = [one for one in found if one.weights.shape[3] == asked.keys and _asks(one, asked)]
    if not looks:
        raise ExplainError(f"in no layer can {asked.words} attend to places of the picture")
    rows = looks[-1].mean()[-1]
    return _heat(
        question, _row(rows, asked), asked, f"attention of {asked.words} in {looks[-1].layer}"
    )


def _asks(one: Attention, asked: Asked) -> bool:
    return one.weights.shape[2] == asked.queries


def _rollout(question: Question) -> Heat:
    found, _ = attention_of(question, gradients=False)
    asked = asked_token(question, found)
    parts = [(one, one.mean()[-1]) for one in found]
    return _heat(
        question,
        _row(_through(parts, asked, keep=True), asked),
        asked,
        f"rollout of {asked.words} through {len(parts)} layers of attention",
    )


def _relevance(question: Question) -> Heat:
    found, logit = attention_of(question, gradients=True)
    assert logit is not None
    asked = asked_token(question, found)
    gradients = torch.autograd.grad(logit, [one.weights for one in found], allow_unused=True)
    parts = []
    for one, gradient in zip(found, gradients, strict=True):
        if gradient is not None:
            weighed = (one.weights * gradient).clamp(min=0).mean(dim=1)[-1].detach()
            parts.append((one, weighed))
    if not parts:
        raise ExplainError("no attention reaches the target")
    return _heat(
        question,
        _row(_through(parts, asked, keep=False), asked),
        asked,
        f"relevance of {question.target.words} through {len(parts)} layers of attention",
    )


def _through(
    parts: list[tuple[Attention, Float[Tensor, "_q _k"]]], asked: Asked, *, keep: bool
) -> Float[Tensor, "q k"]:
    """How tokens of each sequence depend on those of the others, accumulated over layers.

    Sequences are identified by their number of tokens. `keep`: half of a token is kept for the
    residual connection, as in rollout (arXiv:2005.00928); otherwise attention is added, as in
    relevance (arXiv:2103.15679).
    """
    counts = {side for one, _ in parts for side in one.weights.shape[2:]}
    among = {count: torch.eye(count) for count in counts}
    across: dict[tuple[int, int], Tensor] = {}
    for _, weights in parts:
        queries, keys = weights.shape
        if queries == keys:
            step = (torch.eye(keys) + weights) / 2 if keep else torch.eye(keys) + weights
            if keep:
                step = step / step.sum(dim=1, keepdim=True)
            among[keys] = step @ among[keys]
            for pair, value in across.items():
                if pair[0] == keys:
                    across[pair] = step @ value
            continue
        seen = among[queries] @ weights @ among[keys]
        before = across.get((queries, keys))
        across[queries, keys] = seen if before is None else before + seen
    if asked.queries == asked.keys:
        return among[asked.keys]
    if (asked.queries, asked.keys) not in across:
        raise ExplainError(f"in no layer can {asked.words} attend to places of the picture")
    return across[asked.queries, asked.keys]


def _row(rows: Float[Tensor, "q k"], asked: Asked) -> Float[Tensor, " k"]:
    """The mean of the chosen tokens' rows."""
    return rows[asked.rows].mean(dim=0)


def _heat(question: Question, row: Float[Tensor, " k"], asked: Asked, about: str) -> Heat:
    return checked(
        picture_cells(row, asked).numpy(),
        about=about,
        empty=_EMPTY,
        margin_px=question.subject.margin_px,
    )


register_way(
    Way(
        name="attention",
        about="attention in the last layer: of the class token, a box's query, a policy's readout",
        explain=_last,
        needs="attention",
        is_of_target=False,
    )
)
register_way(
    Way(
        name="rollout",
        about="attention through all layers; half of every token is kept",
        explain=_rollout,
        needs="attention",
        is_of_target=False,
        paper="arXiv:2005.00928",
    )
)
register_way(
    Way(
        name="relevance",
        about="attention that increases the target, through all layers",
        explain=_relevance,
        needs="attention",
        paper="arXiv:2103.15679",
    )
)
