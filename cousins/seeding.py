"""Random generators below one seed, by place: what is drawn at one place never depends on another."""

from __future__ import annotations

import numpy as np

SEGMENT_RNG, OBJECT_RNG, SCALE_RNG = 0, 1, 2
"""Places of a scan's generators among the seed's children; an object's index extends its place."""


def child_rng(seed: int, *place: int) -> np.random.Generator:
    """Return the generator at a place below a seed; the same for the same seed, whatever else was drawn."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=place))
