"""Search for the smallest set of differences, and the smallest amount of them, that still shows a failure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeVar

HALVINGS: Final = 6
"""Probes of a bisection: the amount is known to 1/64."""

Part = TypeVar("Part")


def delta_debug(parts: Sequence[Part], fails: Callable[[Sequence[Part]], bool]) -> list[Part]:
    """Return a subset of parts that fails and of which no part can be left out (ddmin, Zeller and Hildebrandt 2002).

    All parts together must fail, none of them must not.
    """
    remaining, pieces = list(parts), 2
    while len(remaining) >= 2:
        size = -(-len(remaining) // pieces)
        subsets = [remaining[first : first + size] for first in range(0, len(remaining), size)]
        rests = [[part for part in remaining if part not in subset] for subset in subsets]
        smaller = next((subset for subset in subsets if fails(subset)), None)
        if smaller is not None:
            remaining, pieces = smaller, 2
            continue
        smaller = next((rest for rest in rests if len(subsets) > 2 and fails(rest)), None)
        if smaller is not None:
            remaining, pieces = smaller, max(pieces - 1, 2)
            continue
        if pieces >= len(remaining):
            break
        pieces = min(len(remaining), 2 * pieces)
    return remaining


def smallest_amount(fails: Callable[[float], bool], *, halvings: int = HALVINGS) -> float:
    """Return the smallest amount between 0 and 1 that was seen to fail, by bisection; the amount 1 must fail."""
    low, high = 0.0, 1.0
    for _ in range(halvings):
        middle = (low + high) / 2.0
        low, high = (low, middle) if fails(middle) else (middle, high)
    return high
