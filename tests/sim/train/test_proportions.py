"""Counts with intervals."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from sim.train.proportions import paired_difference, proportion, wilson_interval


@pytest.mark.parametrize(("k", "n"), [(0, 10), (5, 10), (10, 10), (90, 100), (1, 1)])
def test_wilsons_interval_is_scipys(k: int, n: int) -> None:
    expected = binomtest(k, n).proportion_ci(method="wilson")
    assert wilson_interval(k, n) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_nothing_tried_leaves_everything_open() -> None:
    assert (proportion([]).low, proportion([]).high, proportion([]).p) == (0.0, 1.0, 0.0)


def test_a_paired_difference_counts_both_ways_and_draws_whole_groups() -> None:
    first = np.array([True, True, False, True] * 10)
    second = np.array([False, True, True, False] * 10)
    difference = paired_difference(first, second, np.repeat(np.arange(10), 4), rng=np.random.default_rng(0))
    assert (difference.value, difference.pairs, difference.first_only, difference.second_only) == (0.25, 40, 20, 10)
    assert difference.low == difference.high == 0.25
    alone = paired_difference(first, second, np.zeros(40), rng=np.random.default_rng(0))
    assert (alone.low, alone.high) == (-1.0, 1.0)
    each = paired_difference(first, second, np.arange(40), rng=np.random.default_rng(0))
    assert -0.1 < each.low < 0.1
    assert 0.4 < each.high < 0.6
