"""Which episodes are compared, in which order, and which results are not run again."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from typing import Final

import numpy as np

from cousins.errors import InputError
from cousins.pack.packs import Pack
from cousins.regress.suites import CousinFilter, Suite

Pair = tuple[int, int]
"""Number of a cousin and of a start in it."""
AUDITED_SHARE: Final = 0.1
"""Share of the reused results that is run again."""


def qualifying_cousins(cousins: CousinFilter, pack: Pack, available: Sequence[int] | None = None) -> list[int]:
    """Return the numbers of the cousins that a filter admits, before it is counted; raises `InputError`.

    `available` are the numbers of the cousins that were pulled, None for all.
    """
    present = set(pack.indices() if available is None else available)
    if cousins.numbers:
        missing = sorted(set(cousins.numbers) - present)
        if missing:
            raise InputError(
                f"cousin {missing[0]}, which the pack lacks",
                expected=f"numbers among its {len(present)} cousins",
                hint="`cousins pack info PACK` lists the splits; `cousins pack pull` gets more cousins.",
            )
        numbers = sorted(cousins.numbers)
    else:
        split = next(name for name in ("twin", "train", "heldout_near", "heldout_far") if name == cousins.split)
        numbers = [number for number in pack.indices(split) if number in present]
    return [number for number in numbers if _is_within(cousins, pack, number)]


def spread(numbers: Sequence[int], count: int | None) -> list[int]:
    """Return at most `count` of some numbers, spread evenly over them."""
    if count is None or count >= len(numbers):
        return list(numbers)
    return [numbers[position * len(numbers) // count] for position in range(count)]


def planned_pairs(cousins: Sequence[int], *, episodes: int, seed: int, test: str) -> list[Pair]:
    """Return the episodes of a test in an order drawn by the suite's seed, with starts spread over the cousins."""
    pairs = [(cousins[number % len(cousins)], number // len(cousins)) for number in range(episodes)]
    order = _rng(seed, "order", test).permutation(len(pairs))
    return [pairs[position] for position in order]


def audited_pairs(reused: Collection[Pair], *, run_key: str) -> list[Pair]:
    """Return the reused episodes that are run again: a tenth, at least one, drawn by what is being run."""
    pairs = sorted(reused)
    if not pairs:
        return []
    count = max(1, round(AUDITED_SHARE * len(pairs)))
    drawn = _rng(0, "audit", run_key).choice(len(pairs), size=count, replace=False)
    return [pairs[position] for position in sorted(drawn.tolist())]


def test_alpha(suite: Suite) -> float:
    """Return the false-alarm rate of one test: the suite's, shared among its tests."""
    return suite.alpha / len(suite.test_ids)


def _is_within(cousins: CousinFilter, pack: Pack, number: int) -> bool:
    if not cousins.axes:
        return True
    distances = pack.cousin(number).distances
    return all(low <= distances[axis] <= high for axis, (low, high) in cousins.axes.items())


def _rng(seed: int, *words: str) -> np.random.Generator:
    digest = hashlib.sha256("/".join(words).encode()).digest()
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(int.from_bytes(digest[:4], "little"),)))
