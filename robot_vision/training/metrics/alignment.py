"""Quality of a common space of pictures and texts: retrieval, similarities, gap, uniformity."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy.spatial.distance import pdist

AT = (1, 5, 10)
_SHARE_OF_95 = 1.959964  # standard deviations of a normal distribution that hold 95 %

Embeddings = Float[np.ndarray, "n d"]


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A metric, with its 95 % bounds."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Draws:
    """Settings of retrieval: `count` seeded draws of `candidates` pairs, all of other meanings."""

    candidates: int = 100
    count: int = 50
    seed: int = 0


def found_at(similarity: Float[np.ndarray, "n m"], k: int) -> Float[np.ndarray, " n"]:
    """For each row, the chance that its own column is among its `k` most similar ones.

    It is 0 or 1 except for ties, which count by the expectation over their orders.
    """
    own = np.diagonal(similarity)[:, None]
    better = (similarity > own).sum(axis=1)
    equal = (similarity == own).sum(axis=1)
    return np.clip((k - better) / equal, 0.0, 1.0)


def retrieval(
    similarity: Float[np.ndarray, "n n"],
    meanings: Sequence[str],
    never_seen: Bool[np.ndarray, " n"],
    draws: Draws,
) -> dict[str, Interval]:
    """Retrieval at 1, 5 and 10 among the candidates, both ways, and the mean of both.

    Rows are pictures, columns their captions. A draw holds no two captions of one meaning; it
    holds fewer candidates where there are fewer, and `candidates` says how many. `never_seen`
    marks pairs with looks that training never shows: `never_seen_at_1` and `seen_at_1` separate
    them. Values are means over the draws, intervals their 2.5th and 97.5th percentiles.
    """
    rng = np.random.default_rng(draws.seed)
    figures: dict[str, list[float]] = {}
    for _ in range(draws.count):
        rows = _of_other_meanings(rng.permutation(len(similarity)), meanings)[: draws.candidates]
        drawn, unseen = similarity[np.ix_(rows, rows)], never_seen[rows]
        figures.setdefault("candidates", []).append(float(len(rows)))
        for k in AT:
            to_text, to_picture = found_at(drawn, k), found_at(drawn.T, k)
            figures.setdefault(f"picture_to_text_at_{k}", []).append(float(to_text.mean()))
            figures.setdefault(f"text_to_picture_at_{k}", []).append(float(to_picture.mean()))
            both = (to_text + to_picture) / 2
            figures.setdefault(f"retrieval_at_{k}", []).append(float(both.mean()))
            if k == 1 and unseen.any() and not unseen.all():
                figures.setdefault("never_seen_at_1", []).append(float(both[unseen].mean()))
                figures.setdefault("seen_at_1", []).append(float(both[~unseen].mean()))
    return {name: _over_draws(values) for name, values in figures.items()}


def _of_other_meanings(rows: np.ndarray, meanings: Sequence[str]) -> np.ndarray:
    """The first row of each meaning."""
    first: dict[str, int] = {}
    for row in map(int, rows):
        first.setdefault(meanings[row], row)
    return np.array(list(first.values()), np.int64)


def _over_draws(values: Sequence[float]) -> Interval:
    low, high = np.percentile(values, [2.5, 97.5])
    return Interval(value=float(np.mean(values)), low=float(low), high=float(high))


def space_figures(picture: Embeddings, text: Embeddings) -> dict[str, float]:
    """The geometry of embeddings of matching pictures and texts, both of unit norm.

    `matched_similarity` and `mean_similarity` (of pairs that do not match); `modality_gap`: the
    distance between the two means (Liang et al., arXiv:2203.02053), beside the `variance` of each
    kind around its mean; `uniformity`: the logarithm of the mean Gaussian potential of all pairs
    (Wang and Isola, arXiv:2005.10242), lower where they are spread more evenly over the sphere.
    """
    similarity = picture @ text.T
    count = len(picture)
    matched = float(np.diagonal(similarity).mean())
    others = float((similarity.sum() - np.trace(similarity)) / max(1, count * (count - 1)))
    gap = picture.mean(axis=0) - text.mean(axis=0)
    return {
        "matched_similarity": matched,
        "mean_similarity": others,
        "modality_gap": float(np.linalg.norm(gap)),
        "variance/picture": float(picture.var(axis=0).sum()),
        "variance/text": float(text.var(axis=0).sum()),
        "uniformity/picture": uniformity(picture),
        "uniformity/text": uniformity(text),
    }


def uniformity(embeddings: Embeddings) -> float:
    """log mean exp(−2 |x − y|²) over all pairs; 0 where all are one, NaN of fewer than two."""
    if len(embeddings) < 2:
        return math.nan
    return float(np.log(np.exp(-2 * pdist(embeddings, "sqeuclidean")).mean()))


def share(right: Float[np.ndarray, " n"]) -> Interval:
    """The mean of what is right or wrong (1 or 0), with Wilson's interval."""
    n, p = len(right), float(right.mean())
    z2 = _SHARE_OF_95**2
    middle = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = _SHARE_OF_95 * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return Interval(value=p, low=max(0.0, middle - half), high=min(1.0, middle + half))


def flat(figures: Mapping[str, Interval | float]) -> dict[str, float]:
    """Figures as a report holds them, rounded; bounds as `<name>/low` and `<name>/high`."""
    out: dict[str, float] = {}
    for name, figure in figures.items():
        if isinstance(figure, Interval):
            out |= {name: figure.value, f"{name}/low": figure.low, f"{name}/high": figure.high}
        else:
            out[name] = figure
    return {name: round(value, 4) for name, value in out.items()}
