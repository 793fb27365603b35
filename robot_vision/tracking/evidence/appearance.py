"""Learns, as the tracker runs, what a likeness is worth: not all features discriminate well."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

# Sums forget beyond this many samples; below the minimum, appearance has no weight.
MEMORY_SAMPLES = 500.0
LEAST_SAMPLES = 20.0
LEAST_SPREAD = 0.02


@dataclass(frozen=True, kw_only=True)
class Likeness:
    """Count, mean and variance of the cosine between appearances of one kind of pair."""

    count: float = 0.0
    mean: float = 0.0
    variance: float = 0.0

    def add(self, cosine: Float[np.ndarray, " k"]) -> "Likeness":
        """Add cosines; old ones are gradually forgotten."""
        if not len(cosine):
            return self
        count = self.count + len(cosine)
        share = len(cosine) / count
        mean = float(cosine.mean())
        spread = float(((cosine - mean) ** 2).mean())
        shift = mean - self.mean
        return Likeness(
            count=min(count, MEMORY_SAMPLES),
            mean=self.mean + share * shift,
            variance=(1 - share) * (self.variance + share * shift**2) + share * spread,
        )

    def log_likelihood(self, cosine: Float[np.ndarray, "n m"]) -> Float[np.ndarray, "n m"]:
        """Of a normal distribution, up to a constant."""
        spread = max(self.variance**0.5, LEAST_SPREAD)
        return -0.5 * ((cosine - self.mean) / spread) ** 2 - np.log(spread)


@dataclass(frozen=True, kw_only=True)
class AppearanceModel:
    """Cosines between appearances of the same object, and between those of different ones."""

    same: Likeness = Likeness()
    different: Likeness = Likeness()

    def support(
        self, cosine: Float[np.ndarray, "n m"], *, limit: float
    ) -> Float[np.ndarray, "n m"]:
        """Log-likelihood ratio that pairs are the same object, within ±`limit`; 0 if unknown.

        It is naturally near 0 where objects look alike.
        """
        least = min(self.same.count, self.different.count)
        if least < LEAST_SAMPLES or self.same.mean <= self.different.mean:
            return np.zeros_like(cosine)
        # Beyond the two means the ratio of normals would reverse.
        bounded = np.clip(cosine, self.different.mean, self.same.mean)
        ratio = self.same.log_likelihood(bounded) - self.different.log_likelihood(bounded)
        return np.where(np.isnan(ratio), 0.0, np.clip(ratio, -limit, limit))

    def learn(
        self,
        *,
        same: Float[np.ndarray, " k"],
        appearance: Float[np.ndarray, "n d"],
    ) -> "AppearanceModel":
        """Learn from cosines of confident matches, and between objects of one frame."""
        pairs = (appearance @ appearance.T)[np.tri(len(appearance), k=-1, dtype=bool)]
        return AppearanceModel(
            same=self.same.add(same[np.isfinite(same)]),
            different=self.different.add(pairs[np.isfinite(pairs)]),
        )
