"""A small network that estimates from the features of a pair of pieces whether both are one object.

Its weights were learned from simulated views with known objects only, by `benchmarks/single_views/train_affinity.py`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np

from cousins.geometry import Array
from cousins.segment.affinity.pair_features import FEATURE_NAMES

MAX_LOG_ODDS = 8.0
"""Largest size of an answer: one pair in 3,000 is not what it seems."""


Layers = tuple[tuple[Array, Array], ...]
"""Weights [n, m] and biases [m] of each layer of a perceptron."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class AffinityNetwork:
    """Perceptrons with rectified hidden layers, whose answers are averaged."""

    mean: Array
    """Mean of each feature, float64 [f]."""
    scale: Array
    """Standard deviation of each feature, float64 [f]."""
    members: tuple[Layers, ...]
    """Layers of each perceptron; the last has one output."""

    def log_odds(self, features: Array) -> Array:
        """Return the log-odds [m] that pairs are one object, from features [m, f]."""
        standardised = (features - self.mean) / self.scale
        outputs = [_output(layers, standardised) for layers in self.members]
        return np.asarray(np.clip(np.mean(outputs, axis=0), -MAX_LOG_ODDS, MAX_LOG_ODDS))


def _output(layers: Layers, values: Array) -> Array:
    for weights, biases in layers[:-1]:
        values = np.maximum(values @ weights + biases, 0.0)
    weights, biases = layers[-1]
    return np.asarray((values @ weights + biases)[:, 0])


@cache
def packaged_network() -> AffinityNetwork:
    """Return the network whose weights come with the package."""
    return network_of(json.loads(files(__package__).joinpath("weights.json").read_text()))


def network_of(record: dict[str, Any]) -> AffinityNetwork:
    """Return the network of a JSON record; its features must be those of `FEATURE_NAMES`."""
    assert tuple(record["features"]) == FEATURE_NAMES, "the weights belong to other features"
    return AffinityNetwork(
        mean=np.array(record["mean"]),
        scale=np.array(record["scale"]),
        members=tuple(
            tuple((np.array(weights), np.array(biases)) for weights, biases in layers) for layers in record["members"]
        ),
    )
