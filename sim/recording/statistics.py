"""Statistics of columns for normalisation, as LeRobot defines them; quantiles over several episodes are approximate."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np

from cousins.geometry import Array

QUANTILES: Final = {"q01": 0.01, "q10": 0.10, "q50": 0.50, "q90": 0.90, "q99": 0.99}
Statistics = dict[str, Any]
"""Lists by name: min, max, mean, std, count, and the quantiles."""


def column_statistics(values: Array) -> Statistics:
    """Return the statistics of a column [t] or [t, k] of an episode; frames that are not finite are excluded."""
    frames = np.asarray(values, dtype=np.float64).reshape(len(values), -1)
    finite_frames = frames[np.isfinite(frames).all(axis=1)]
    table = finite_frames if len(finite_frames) else np.zeros((1, frames.shape[1]))
    statistics = {
        "min": table.min(axis=0),
        "max": table.max(axis=0),
        "mean": table.mean(axis=0),
        "std": table.std(axis=0),
    }
    statistics |= {name: np.quantile(table, quantile, axis=0) for name, quantile in QUANTILES.items()}
    return {name: value.tolist() for name, value in statistics.items()} | {"count": [len(finite_frames)]}


def image_statistics(pictures: Iterable[Array]) -> Statistics:
    """Return the statistics of images uint8 [h, w, 3] by channel, shape [3, 1, 1], scaled to [0, 1]."""
    counts, frames = np.zeros((3, 256), dtype=np.int64), 0
    for picture in pictures:
        frames += 1
        for channel in range(3):
            counts[channel] += np.bincount(picture[..., channel].reshape(-1), minlength=256)
    levels = np.arange(256) / 255.0
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    mean = shares @ levels
    cumulative = np.cumsum(shares, axis=1)
    statistics = {
        "min": levels[np.argmax(counts > 0, axis=1)],
        "max": levels[255 - np.argmax(counts[:, ::-1] > 0, axis=1)],
        "mean": mean,
        "std": np.sqrt(np.maximum(shares @ levels**2 - mean**2, 0.0)),
    }
    statistics |= {
        name: levels[np.argmax(cumulative >= quantile - 1e-12, axis=1)] for name, quantile in QUANTILES.items()
    }
    return {name: value.reshape(3, 1, 1).tolist() for name, value in statistics.items()} | {"count": [frames]}


def combine_statistics(parts: Sequence[Statistics]) -> Statistics:
    """Return the statistics over several episodes; quantiles are averaged over episodes, as in LeRobot."""
    counted_parts = [part for part in parts if part["count"][0]] or list(parts[:1])
    counts = np.array([max(part["count"][0], 1) for part in counted_parts], dtype=np.float64)
    stacked = {name: np.array([part[name] for part in counted_parts]) for name in parts[0] if name != "count"}
    combined = {name: np.average(value, axis=0, weights=counts) for name, value in stacked.items()}
    squares = stacked["std"] ** 2 + stacked["mean"] ** 2
    combined["std"] = np.sqrt(np.maximum(np.average(squares, axis=0, weights=counts) - combined["mean"] ** 2, 0.0))
    combined["min"], combined["max"] = stacked["min"].min(axis=0), stacked["max"].max(axis=0)
    return {name: value.tolist() for name, value in combined.items()} | {
        "count": [sum(part["count"][0] for part in parts)]
    }
