"""The adjusted Rand index against its definition by pairs, and against names that change."""

from itertools import combinations
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot_vision.training.metrics.rand_index import adjusted_rand_index

partitions = st.integers(2, 14).flatmap(
    lambda n: st.tuples(*[st.lists(st.integers(0, 3), min_size=n, max_size=n)] * 2)
)


def by_pairs(one: list[int], other: list[int]) -> float:
    """From counts of pairs that are together in both, in one, in neither."""
    pairs = list(combinations(range(len(one)), 2))
    together_one = sum(one[a] == one[b] for a, b in pairs)
    together_other = sum(other[a] == other[b] for a, b in pairs)
    both = sum(one[a] == one[b] and other[a] == other[b] for a, b in pairs)
    by_chance = together_one * together_other / comb(len(one), 2)
    most = (together_one + together_other) / 2
    return 1.0 if most == by_chance else (both - by_chance) / (most - by_chance)


@given(partitions)
def test_it_is_what_counting_pairs_gives(rows: tuple[list[int], list[int]]) -> None:
    one, other = rows
    found = adjusted_rand_index(np.array(one), np.array(other))
    assert found == pytest.approx(by_pairs(one, other))
    assert found == pytest.approx(adjusted_rand_index(np.array(other), np.array(one)))
    assert found <= 1 + 1e-12


@given(st.lists(st.integers(0, 4), min_size=1, max_size=30))
def test_names_do_not_matter(row: list[int]) -> None:
    one = np.array(row)
    assert adjusted_rand_index(one, 7 - one) == pytest.approx(1)


def test_all_in_one_is_worth_nothing_and_chance_about_nothing() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 5, 5000)
    assert adjusted_rand_index(np.zeros(5000, int), truth) == pytest.approx(0, abs=1e-12)
    assert adjusted_rand_index(rng.integers(0, 5, 5000), truth) == pytest.approx(0, abs=0.01)
