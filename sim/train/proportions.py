"""Proportions with confidence intervals, and differences between paired outcomes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from cousins.geometry import Array

Z_95: Final = 1.959963984540054
"""Half width of the central 95 % of a standard normal distribution."""


@dataclass(frozen=True, kw_only=True)
class Proportion:
    """A proportion k of n episodes, with a 95 % confidence interval."""

    k: int
    """Number of episodes that count."""
    n: int
    """Number of all episodes."""
    p: float
    """k / n; 0 where n is 0."""
    low: float
    """Lower end of the Wilson score interval, 95 %."""
    high: float
    """Upper end of the interval."""


@dataclass(frozen=True, kw_only=True)
class PairedDifference:
    """Difference of two proportions over the same cousins and starts."""

    value: float
    """First minus second, -1 to 1."""
    low: float
    """Lower end of the bootstrap interval, 95 %."""
    high: float
    """Upper end of the interval."""
    pairs: int
    """Number of pairs of episodes."""
    first_only: int
    """Number of pairs in which only the first succeeded."""
    second_only: int
    """Number of pairs in which only the second succeeded."""


def proportion(outcomes: Sequence[bool] | Array) -> Proportion:
    """Return the proportion of outcomes, bool [n], that are true, with the Wilson score interval."""
    count, true_count = len(outcomes), int(np.sum(outcomes))
    low, high = wilson_interval(true_count, count)
    return Proportion(k=true_count, n=count, p=true_count / count if count else 0.0, low=low, high=high)


def wilson_interval(k: int, n: int) -> tuple[float, float]:
    """Return the 95 % Wilson score interval of k successes in n trials; (0, 1) where n is 0."""
    if not n:
        return 0.0, 1.0
    p, spread = k / n, Z_95 * Z_95 / n
    centre = (p + spread / 2.0) / (1.0 + spread)
    half_width = Z_95 * np.sqrt(p * (1.0 - p) / n + spread / (4.0 * n)) / (1.0 + spread)
    return max(0.0, float(centre - half_width)), min(1.0, float(centre + half_width))


def paired_difference(
    first: Array, second: Array, groups: Array, *, rng: np.random.Generator, draws: int = 4000
) -> PairedDifference:
    """Return the mean difference of paired outcomes, bool [n], with a cluster bootstrap interval.

    Whole groups, labels [n], are resampled, such as all pairs of one cousin or of one seed, because pairs of a group
    are not independent. With a single group the interval is -1 to 1.
    """
    differences = first.astype(float) - second.astype(float)
    _, group_index = np.unique(groups, return_inverse=True)
    count = int(group_index.max()) + 1 if len(group_index) else 0
    low, high = -1.0, 1.0
    if count > 1:
        sums, sizes = np.bincount(group_index, differences), np.bincount(group_index)
        resampled = rng.integers(count, size=(draws, count))
        low, high = (
            float(end) for end in np.quantile(sums[resampled].sum(1) / sizes[resampled].sum(1), (0.025, 0.975))
        )
    return PairedDifference(
        value=float(differences.mean()) if len(differences) else 0.0,
        low=low,
        high=high,
        pairs=len(differences),
        first_only=int((differences > 0).sum()),
        second_only=int((differences < 0).sum()),
    )
