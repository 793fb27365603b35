"""A share of a set's labels, for label-efficiency curves: seeded, balanced over classes."""

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np


def share_of_labels(shown: Sequence[frozenset[int]], share: float, *, seed: int) -> list[int]:
    """Rows of a share of the pictures: of each class at least that share, and at least one.

    `shown` are the classes in each picture. Pictures come in a random order and are
    taken while a class in them is short: for pictures of one class each this is a
    stratified sample, contained in a larger share with the same seed.
    """
    if share >= 1:
        return list(range(len(shown)))
    counts = Counter(class_id for classes in shown for class_id in classes)
    wanting = {class_id: max(1, math.ceil(share * n)) for class_id, n in counts.items()}
    rows = list[int]()
    for row in np.random.default_rng(seed).permutation(len(shown)).tolist():
        if any(wanting[class_id] > 0 for class_id in shown[row]):
            rows.append(row)
            wanting.update({class_id: wanting[class_id] - 1 for class_id in shown[row]})
    return sorted(rows)
