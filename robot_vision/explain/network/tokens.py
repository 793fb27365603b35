"""The tokens whose attention is shown, and the tokens that are places of the picture."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from robot_vision.core.errors import ConfigError
from robot_vision.explain.heat import ExplainError
from robot_vision.explain.network.attention_tap import Attention
from robot_vision.explain.question import Question
from robot_vision.explain.targets import BoxTarget
from robot_vision.models.encoders.vit import ViT
from robot_vision.models.fusion.fusion import Fusion, ModalityShape
from robot_vision.models.policies.pixel_pointing import Pointing
from robot_vision.models.policies.pixels import PixelPolicy

_MOST_EXTRA_TOKENS = 16


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Rows of `queries` tokens whose attention is shown, and the picture's places among `keys`.

    Places are `grid` (rows, columns) from token `start` on; `words` describes the rows.
    """

    words: str
    queries: int
    keys: int
    rows: list[int]
    grid: tuple[int, int]
    start: int


@dataclass(frozen=True, kw_only=True)
class Layout:
    """A policy's sequence of tokens: where each modality begins."""

    count: int
    starts: dict[str, int]


def asked_token(question: Question, found: Sequence[Attention]) -> Asked:
    """A word or the readout of a policy, a box's query, the class token, or else all tokens.

    Raises `ExplainError` if the tokens are not places of the picture.
    """
    model = question.subject.model
    if isinstance(model, PixelPolicy):
        return _of_policy(question, model)
    whole = [one for one in found if one.weights.shape[0] == 1]
    if isinstance(question.target, BoxTarget):
        return _of_box(question, whole, question.target)
    among = [one for one in whole if one.is_among_itself]
    counts = [int(one.weights.shape[3]) for one in among]
    for count in sorted(set(counts), reverse=True):
        grid = _grid(count, question.size)
        if grid is not None:
            return _of_picture(question, count, grid)
    raise ExplainError(
        f"{question.subject.name}: attention is among {sorted(set(counts)) or 'no'} tokens, which "
        f"are not places of a picture of {question.size[1]}×{question.size[0]} px; attention "
        "within windows is not supported"
    )


def picture_cells(row: Float[Tensor, " k"], asked: Asked) -> Float[Tensor, "rows columns"]:
    """The part of a row over all keys that belongs to places."""
    rows, columns = asked.grid
    return row[asked.start : asked.start + rows * columns].reshape(rows, columns)


def word_tokens(question: Question) -> tuple[Layout, int]:
    """The layout of a policy's tokens that has words, and the index of the first word."""
    model = question.subject.model
    if not isinstance(model, PixelPolicy):
        raise ExplainError(
            f"{question.subject.name} is not a policy from pixels: it reads no words"
        )
    for layout in _layouts(model.fusion):
        if "words" in layout.starts:
            return layout, layout.starts["words"]
    raise ExplainError(
        f"fusion {model.spec.fusion.name!r} has no tokens of words that attend or are attended to"
    )


def pointing_of(question: Question) -> Pointing | None:
    """The module of a policy with `spec.pointing` that points at the place that the words mean."""
    model = question.subject.model
    found = model.sight.pointing if isinstance(model, PixelPolicy) else None
    return found if isinstance(found, Pointing) else None


@dataclass(frozen=True, kw_only=True)
class Places:
    """A policy's tokens, and among them those of a picture's newest moment."""

    count: int
    start: int
    places: int
    grid: tuple[int, int]


def picture_tokens(question: Question) -> Places:
    """Position of the explained picture among a policy's tokens."""
    policy = question.subject.model
    if not isinstance(policy, PixelPolicy):
        raise ExplainError(f"{question.subject.name} is not a policy from pixels")
    name = question.picture.removeprefix("rgb_") + ".color"
    seen = next((one for one in _layouts(policy.fusion) if name in one.starts), None)
    if seen is None:
        raise ExplainError(
            f"fusion {policy.spec.fusion.name!r} has no attended tokens of {name!r}"
        )
    shape = policy.fusion.modalities[name]
    places = shape.rows * shape.columns
    return Places(
        count=seen.count,
        start=seen.starts[name] + (shape.steps - 1) * places,
        places=places,
        grid=(shape.rows, shape.columns),
    )


def _of_picture(question: Question, count: int, grid: tuple[int, int]) -> Asked:
    start = count - grid[0] * grid[1]
    has_class = start > 0 and _reads_class_token(question)
    return Asked(
        words="the class token" if has_class else "all patches",
        queries=count,
        keys=count,
        rows=[0] if has_class else list(range(start, count)),
        grid=grid,
        start=start,
    )


def _reads_class_token(question: Question) -> bool:
    assert question.subject.model is not None
    for module in question.subject.model.modules():
        if isinstance(module, ViT):
            return module.spec.class_token
    return True


def _of_box(question: Question, found: Iterable[Attention], target: BoxTarget) -> Asked:
    for one in reversed(list(found)):
        queries, keys = (int(side) for side in one.weights.shape[2:])
        grid = _grid(keys, question.size)
        if queries != keys and grid is not None and target.row < queries:
            return Asked(
                words=f"query {target.row}",
                queries=queries,
                keys=keys,
                rows=[target.row],
                grid=grid,
                start=keys - grid[0] * grid[1],
            )
    raise ExplainError(
        f"{question.subject.name} has no queries that attend to places: use grad_cam or occlusion"
    )


def _grid(count: int, size: tuple[int, int]) -> tuple[int, int] | None:
    """Rows and columns of the grid among `count` tokens, some of which may have no place."""
    height, width = size
    for extra in range(_MOST_EXTRA_TOKENS + 1):
        patches = count - extra
        rows = round((patches * height / width) ** 0.5) if patches > 3 else 0
        columns = patches // rows if rows else 0
        if rows > 1 and rows * columns == patches:
            stride_y, stride_x = height / rows, width / columns
            if abs(stride_y - stride_x) * min(rows, columns) <= 1.01 * min(stride_y, stride_x):
                return rows, columns
    return None


def _of_policy(question: Question, policy: PixelPolicy) -> Asked:
    seen = picture_tokens(question)
    asking, row, words = _layouts(policy.fusion)[0], 0, "the readout"
    if question.word:
        asking, first = word_tokens(question)
        row, words = first + question.word_row, f"the word {question.word!r}"
    return Asked(
        words=words,
        queries=asking.count,
        keys=seen.count,
        rows=[row],
        grid=seen.grid,
        start=seen.start,
    )


def _layouts(fusion: Fusion) -> tuple[Layout, ...]:
    """Token sequences of a fusion, the one with its readout first."""
    kind = type(fusion).__name__
    if kind == "TransformerFusion":
        return (_layout(fusion.modalities, fusion.modalities),)
    if kind == "CrossModalFusion":
        sides = (fusion.rows(), fusion.pictures())
        return tuple(_layout(fusion.modalities, side) for side in sides)
    if kind == "FrozenCrossAttention":
        rows = [name for name in fusion.rows() if fusion.modalities[name].kind != "words"]
        return tuple(_layout(fusion.modalities, side) for side in (rows, fusion.pictures()))
    raise ConfigError(
        f"tokens of {kind} are not known; attention is supported for the fusions transformer, "
        "cross_modal and frozen_cross_attention. grad_cam and occlusion work with any"
    )


def _layout(shapes: "dict[str, ModalityShape]", names: Iterable[str]) -> Layout:
    """After one learnt token."""
    starts, at = {}, 1
    for name in names:
        shape = shapes[name]
        starts[name] = at
        at += shape.rows * shape.columns * shape.steps
    return Layout(count=at, starts=starts)
