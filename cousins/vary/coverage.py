"""Choose cousins that cover: greedy farthest points, and numbers that fill a cube evenly."""

from __future__ import annotations

from typing import Final

import numpy as np

from cousins.geometry import Array

CELLS: Final = 10
"""Cells along an axis when coverage is counted."""


def even_numbers(count: int, *, dimensions: int, start: int, seed: int) -> Array:
    """Return members `start` and on of an even sequence in the unit cube, float64 [count, dimensions].

    The additive recurrence of Roberts ("The unreasonable effectiveness of quasirandom sequences", 2018): powers of
    the root of x^(d+1) = x + 1, from a start that the seed gives. Member n never depends on how many are asked for.
    """
    root = 2.0
    for _ in range(64):
        root = (1.0 + root) ** (1.0 / (dimensions + 1.0))
    steps = root ** -np.arange(1.0, dimensions + 1.0)
    offset = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0,))).uniform(size=dimensions)
    return np.asarray((offset + np.arange(start + 1, start + count + 1)[:, None] * steps) % 1.0)


def farthest_first(vectors: Array, *, given: Array | None = None) -> list[int]:
    """Return all rows [n, d] in greedy order: each is the farthest from those before it and from the `given` [m, d].

    Ties go to the lower index.
    """
    near = np.full(len(vectors), np.inf)
    for row in given if given is not None else np.zeros((1, vectors.shape[1])):
        near = np.minimum(near, np.linalg.norm(vectors - row, axis=1))
    order: list[int] = []
    left = np.ones(len(vectors), dtype=bool)
    for _ in range(len(vectors)):
        chosen = int(np.argmax(np.where(left, near, -1.0)))
        order.append(chosen)
        left[chosen] = False
        near = np.minimum(near, np.linalg.norm(vectors - vectors[chosen], axis=1))
    return order


def coverage(values: Array) -> float:
    """Return the share of ten equal cells from 0 to the largest value in which some value [n] lies, 0 to 1."""
    top = float(values.max(initial=0.0))
    if top <= 0.0:
        return 0.0
    cells = np.minimum((values / top * CELLS).astype(int), CELLS - 1)
    return len(np.unique(cells)) / CELLS


def dispersion(vectors: Array, *, probes: int = 4096, seed: int = 0) -> float:
    """Return how far the worst of many probes in the rows' own box is from its nearest row [n, d]; small is good."""
    low, high = vectors.min(axis=0), vectors.max(axis=0)
    points = low + (high - low) * np.random.default_rng(seed).uniform(size=(probes, vectors.shape[1]))
    squares = ((points[:, None, :] - vectors[None, :, :]) ** 2).sum(axis=2)
    return float(np.sqrt(squares.min(axis=1)).max())
