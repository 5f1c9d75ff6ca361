"""Exact tests on few pairs, and corrections for many tests."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping


def sign_test(losses: int, gains: int) -> float:
    """Return the probability of at least so many losses among so many discordant pairs, if both were as probable."""
    count = losses + gains
    return sum(math.comb(count, k) for k in range(losses, count + 1)) / 2**count


def holm(p_values: Mapping[int, float]) -> dict[int, float]:
    """Return the p-values adjusted by Holm's step-down method, by label."""
    adjusted: dict[int, float] = {}
    largest = 0.0
    ranked = sorted(p_values, key=lambda label: (p_values[label], label))
    for rank, label in enumerate(ranked):
        largest = max(largest, min(1.0, (len(ranked) - rank) * p_values[label]))
        adjusted[label] = largest
    return adjusted


def clopper_pearson(k: int, n: int, *, confidence: float = 0.95) -> tuple[float, float]:
    """Return the exact interval of a proportion of k in n; (0, 1) where n is 0."""
    if not n:
        return 0.0, 1.0
    tail = (1.0 - confidence) / 2.0
    low = 0.0 if k == 0 else _root(lambda p: _upper_tail(k, n, p) - tail)
    high = 1.0 if k == n else _root(lambda p: tail - (1.0 - _upper_tail(k + 1, n, p)))
    return low, high


def _upper_tail(k: int, n: int, p: float) -> float:
    """Return the probability of k or more successes in n trials of probability p."""
    if p <= 0.0 or p >= 1.0:
        return float(p >= 1.0 or k <= 0)
    log_p, log_q = math.log(p), math.log1p(-p)
    terms = (
        math.lgamma(n + 1) - math.lgamma(i + 1) - math.lgamma(n - i + 1) + i * log_p + (n - i) * log_q
        for i in range(k, n + 1)
    )
    return math.fsum(math.exp(term) for term in terms)


def _root(function: Callable[[float], float]) -> float:
    """Return where a rising function on [0, 1] crosses zero, by bisection."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2.0
        low, high = (middle, high) if function(middle) < 0.0 else (low, middle)
    return (low + high) / 2.0
