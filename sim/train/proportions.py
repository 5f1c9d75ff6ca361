"""How many of how many, with the interval that such a count leaves; differences between paired counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from cousins.geometry import Array

Z: Final = 1.959963984540054
"""Of a normal distribution, 95 % lie within so many deviations."""


@dataclass(frozen=True, kw_only=True)
class Share:
    """A share of episodes."""

    k: int
    """So many did."""
    n: int
    """Of so many."""
    p: float
    """k / n; 0 where n is."""
    low: float
    """Lower end of Wilson's interval, 95 %."""
    high: float
    """Upper end."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A share less another one, over the same cousins and starts."""

    value: float
    """First less second, -1 to 1."""
    low: float
    """Lower end of the interval, 95 %."""
    high: float
    """Upper end."""
    pairs: int
    """Pairs of episodes."""
    first_only: int
    """Pairs in which only the first succeeded."""
    second_only: int
    """Pairs in which only the second did."""


def share(outcomes: Sequence[bool] | Array) -> Share:
    """Return the share of outcomes that are true, with Wilson's interval."""
    n, k = len(outcomes), int(np.sum(outcomes))
    low, high = wilson(k, n)
    return Share(k=k, n=n, p=k / n if n else 0.0, low=low, high=high)


def wilson(k: int, n: int) -> tuple[float, float]:
    """Return Wilson's interval for k of n, 95 %; everything where n is 0."""
    if not n:
        return 0.0, 1.0
    p, spread = k / n, Z * Z / n
    middle = (p + spread / 2.0) / (1.0 + spread)
    half = Z * np.sqrt(p * (1.0 - p) / n + spread / (4.0 * n)) / (1.0 + spread)
    return max(0.0, float(middle - half)), min(1.0, float(middle + half))


def paired(first: Array, second: Array, groups: Array, *, rng: np.random.Generator, draws: int = 4000) -> Difference:
    """Return the mean difference of paired outcomes, bool [n], with a bootstrap's interval.

    Whole groups [n] are drawn, such as all pairs of one cousin or of one seed: pairs of a group are no independent
    evidence. With one group alone the interval is -1 to 1.
    """
    gain = first.astype(float) - second.astype(float)
    _, member = np.unique(groups, return_inverse=True)
    count = int(member.max()) + 1 if len(member) else 0
    low, high = -1.0, 1.0
    if count > 1:
        sums, sizes = np.bincount(member, gain), np.bincount(member)
        drawn = rng.integers(count, size=(draws, count))
        low, high = (float(end) for end in np.quantile(sums[drawn].sum(1) / sizes[drawn].sum(1), (0.025, 0.975)))
    return Difference(
        value=float(gain.mean()) if len(gain) else 0.0,
        low=low,
        high=high,
        pairs=len(gain),
        first_only=int((gain > 0).sum()),
        second_only=int((gain < 0).sum()),
    )
