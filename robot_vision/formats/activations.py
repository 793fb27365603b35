"""From logits to probabilities."""

import numpy as np
from jaxtyping import Float


def sigmoid(x: Float[np.ndarray, "*n"]) -> Float[np.ndarray, "*n"]:
    """A probability for each number, without overflow at either end."""
    return 0.5 * (np.tanh(0.5 * x) + 1)


def softmax(x: Float[np.ndarray, "*n"], *, axis: int = -1) -> Float[np.ndarray, "*n"]:
    """Probabilities that sum to one along `axis`."""
    powers = np.exp(x - x.max(axis=axis, keepdims=True))
    return powers / powers.sum(axis=axis, keepdims=True)


def logit(probability: float) -> float:
    """The number whose sigmoid is `probability`; infinite for 0 and 1."""
    with np.errstate(divide="ignore"):
        return float(np.log(probability) - np.log1p(-np.float64(probability)))
