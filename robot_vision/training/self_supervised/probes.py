"""The value of embeddings with few labels: nearest neighbours, and a linear layer."""

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float32, Int64
from torch import Tensor

_Known = Float32[np.ndarray, "n d"]
_KnownClass = Int64[np.ndarray, " n"]
_Asked = Float32[np.ndarray, "m d"]
_AskedClass = Int64[np.ndarray, " m"]
NEIGHBOURS = 20
_TEMPERATURE = 0.07
_AT_ONCE = 1024
# Weight decays of the linear layer, chosen by held-out folds.
_DECAYS = (1e-4, 1e-3, 1e-2, 1e-1)
_FOLDS = 3
_ITERATIONS = 100


def knn_classes(
    known: _Known, known_class: _KnownClass, asked: _Asked, *, classes: int
) -> _AskedClass:
    """The class of each query picture by the 20 nearest known ones, weighted by exp(cosine/0.07).

    As DINO evaluates it (arXiv:2104.14294); fewer where fewer are known.
    """
    labels = torch.from_numpy(known_class)
    cosine, rows = _neighbours(known, asked, count=NEIGHBOURS)
    votes = torch.zeros(len(asked), classes)
    votes.scatter_add_(1, labels[rows], ((cosine - 1) / _TEMPERATURE).exp())
    return votes.argmax(dim=1).numpy()


def nearest(known: _Known, asked: _Asked, *, count: int) -> Int64[np.ndarray, "m k"]:
    """Rows of the known pictures nearest to each query, the nearest first."""
    return _neighbours(known, asked, count=count)[1].numpy()


def _neighbours(
    known: _Known, asked: _Asked, *, count: int
) -> tuple[Float32[Tensor, "m k"], Int64[Tensor, "m k"]]:
    """Cosines and rows of the nearest, compared a part at a time."""
    near, far = _units(known), _units(asked)
    parts = [(part @ near.T).topk(min(count, len(near)), dim=1) for part in far.split(_AT_ONCE)]
    cosine, rows = zip(*parts, strict=True)
    return torch.cat(cosine), torch.cat(rows)


def linear_classes(
    known: _Known, known_class: _KnownClass, asked: _Asked, *, classes: int
) -> _AskedClass:
    """The class of each query picture by logistic regression on the known ones (L-BFGS).

    Embeddings are scaled to unit variance; the decay of the weights is chosen of four by
    three-fold validation on what is known.
    """
    mean, std = known.mean(axis=0), known.std(axis=0) + 1e-6
    scaled, target = torch.from_numpy((known - mean) / std), torch.from_numpy(known_class)
    fold = torch.arange(len(scaled)) % _FOLDS
    right = [
        sum(_right(scaled, target, fold == held, decay, classes) for held in range(_FOLDS))
        for decay in _DECAYS
    ]
    decay = _DECAYS[int(np.argmax(right))]
    weight = _fitted(scaled, target, decay, classes)
    return _logits(torch.from_numpy((asked - mean) / std), weight).argmax(dim=1).numpy()


def _right(
    scaled: Float32[Tensor, "n d"],
    target: Int64[Tensor, " n"],
    held: Bool[Tensor, " n"],
    decay: float,
    classes: int,
) -> int:
    weight = _fitted(scaled[~held], target[~held], decay, classes)
    return int((_logits(scaled[held], weight).argmax(dim=1) == target[held]).sum())


def _fitted(
    scaled: Float32[Tensor, "n d"], target: Int64[Tensor, " n"], decay: float, classes: int
) -> Float32[Tensor, "d+1 {classes}"]:
    """Weights, the last row the bias, which does not decay."""
    weight = torch.zeros(scaled.shape[1] + 1, classes, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [weight], max_iter=_ITERATIONS, line_search_fn="strong_wolfe", tolerance_grad=1e-5
    )

    def closure() -> Float32[Tensor, ""]:
        optimizer.zero_grad()
        total = F.cross_entropy(_logits(scaled, weight), target)
        total = total + decay * weight[:-1].square().sum() / 2
        total.backward()
        return total

    with torch.enable_grad():
        optimizer.step(closure)
    return weight.detach()


def _logits(
    scaled: Float32[Tensor, "n d"], weight: Float32[Tensor, "d+1 c"]
) -> Float32[Tensor, "n c"]:
    return scaled @ weight[:-1] + weight[-1]


def _units(embeddings: Float32[np.ndarray, "n d"]) -> Float32[Tensor, "n d"]:
    return F.normalize(torch.from_numpy(np.ascontiguousarray(embeddings, np.float32)), dim=1)
