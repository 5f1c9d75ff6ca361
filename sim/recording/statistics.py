"""Statistics of columns as LeRobot keeps them for normalising: exact, but for quantiles over several episodes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np

from cousins.geometry import Array

QUANTILES: Final = {"q01": 0.01, "q10": 0.10, "q50": 0.50, "q90": 0.90, "q99": 0.99}
Statistics = dict[str, Any]
"""Lists by name: min, max, mean, std, count, and the quantiles."""


def of_rows(values: Array) -> Statistics:
    """Return the statistics of an episode's column [t] or [t, k]; frames that are not finite are left out."""
    every = np.asarray(values, dtype=np.float64).reshape(len(values), -1)
    kept = every[np.isfinite(every).all(axis=1)]
    table = kept if len(kept) else np.zeros((1, every.shape[1]))
    found = {
        "min": table.min(axis=0),
        "max": table.max(axis=0),
        "mean": table.mean(axis=0),
        "std": table.std(axis=0),
    }
    found |= {name: np.quantile(table, share, axis=0) for name, share in QUANTILES.items()}
    return {name: value.tolist() for name, value in found.items()} | {"count": [len(kept)]}


def of_pictures(pictures: Iterable[Array]) -> Statistics:
    """Return the statistics of pictures uint8 [h, w, 3], by channel [3, 1, 1], as shares of 255."""
    counts, frames = np.zeros((3, 256), dtype=np.int64), 0
    for picture in pictures:
        frames += 1
        for channel in range(3):
            counts[channel] += np.bincount(picture[..., channel].reshape(-1), minlength=256)
    levels = np.arange(256) / 255.0
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    mean = shares @ levels
    run = np.cumsum(shares, axis=1)
    found = {
        "min": levels[np.argmax(counts > 0, axis=1)],
        "max": levels[255 - np.argmax(counts[:, ::-1] > 0, axis=1)],
        "mean": mean,
        "std": np.sqrt(np.maximum(shares @ levels**2 - mean**2, 0.0)),
    }
    found |= {name: levels[np.argmax(run >= share - 1e-12, axis=1)] for name, share in QUANTILES.items()}
    return {name: value.reshape(3, 1, 1).tolist() for name, value in found.items()} | {"count": [frames]}


def of_all(parts: Sequence[Statistics]) -> Statistics:
    """Return the statistics over several episodes; quantiles are means of theirs, as LeRobot joins them."""
    used = [one for one in parts if one["count"][0]] or list(parts[:1])
    counts = np.array([max(one["count"][0], 1) for one in used], dtype=np.float64)
    stacked = {name: np.array([one[name] for one in used]) for name in parts[0] if name != "count"}
    joined = {name: np.average(value, axis=0, weights=counts) for name, value in stacked.items()}
    squares = stacked["std"] ** 2 + stacked["mean"] ** 2
    joined["std"] = np.sqrt(np.maximum(np.average(squares, axis=0, weights=counts) - joined["mean"] ** 2, 0.0))
    joined["min"], joined["max"] = stacked["min"].min(axis=0), stacked["max"].max(axis=0)
    return {name: value.tolist() for name, value in joined.items()} | {"count": [sum(one["count"][0] for one in parts)]}
