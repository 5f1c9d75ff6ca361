"""Space-filling samples of a unit cube, greedy farthest-point ordering, and measures of coverage."""

from __future__ import annotations

from typing import Final

import numpy as np

from cousins.geometry import Array

COVERAGE_CELLS: Final = 10
"""Number of cells along an axis in which coverage is counted."""


def low_discrepancy_points(count: int, *, dimensions: int, start: int, seed: int) -> Array:
    """Return `count` points of a low-discrepancy sequence in the unit cube from index `start`, [count, dimensions].

    The additive recurrence of Roberts ("The unreasonable effectiveness of quasirandom sequences", 2018): powers of
    the root of x^(d+1) = x + 1, with an offset derived from the seed. Point n does not depend on `count`.
    """
    root = 2.0
    for _ in range(64):
        root = (1.0 + root) ** (1.0 / (dimensions + 1.0))
    steps = root ** -np.arange(1.0, dimensions + 1.0)
    offset = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0,))).uniform(size=dimensions)
    return np.asarray((offset + np.arange(start + 1, start + count + 1)[:, None] * steps) % 1.0)


def farthest_point_order(vectors: Array, *, selected: Array | None = None) -> list[int]:
    """Return the indices of all rows [n, d] in greedy farthest-point order.

    Each row is the farthest from the rows before it and from the `selected` rows [m, d], or from the origin where none
    are given. Ties go to the lower index.
    """
    distances = np.full(len(vectors), np.inf)
    for row in selected if selected is not None else np.zeros((1, vectors.shape[1])):
        distances = np.minimum(distances, np.linalg.norm(vectors - row, axis=1))
    order: list[int] = []
    remaining = np.ones(len(vectors), dtype=bool)
    for _ in range(len(vectors)):
        index = int(np.argmax(np.where(remaining, distances, -1.0)))
        order.append(index)
        remaining[index] = False
        distances = np.minimum(distances, np.linalg.norm(vectors - vectors[index], axis=1))
    return order


def coverage(values: Array) -> float:
    """Return the share, 0 to 1, of ten equal cells between 0 and the largest value [n] that hold at least one value."""
    largest = float(values.max(initial=0.0))
    if largest <= 0.0:
        return 0.0
    cells = np.minimum((values / largest * COVERAGE_CELLS).astype(int), COVERAGE_CELLS - 1)
    return len(np.unique(cells)) / COVERAGE_CELLS


def dispersion(vectors: Array, *, probes: int = 4096, seed: int = 0) -> float:
    """Return the largest distance from random probes in the bounding box of the rows [n, d] to their nearest row."""
    low, high = vectors.min(axis=0), vectors.max(axis=0)
    points = low + (high - low) * np.random.default_rng(seed).uniform(size=(probes, vectors.shape[1]))
    squares = ((points[:, None, :] - vectors[None, :, :]) ** 2).sum(axis=2)
    return float(np.sqrt(squares.min(axis=1)).max())
