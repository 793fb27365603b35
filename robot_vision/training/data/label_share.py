"""A part of a set's labels, for curves of accuracy over labels: seeded, of all classes alike."""

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np


def share_of_labels(shown: Sequence[frozenset[int]], share: float, *, seed: int) -> list[int]:
    """Rows of a share of the pictures, of each class at least that share, and one at least.

    `shown` are the classes that each picture shows. Pictures come in a random order and are
    taken while a class that they show is wanting: of pictures of one class each this is a
    stratified sample, which a larger share of the same seed holds.
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
