"""Learn from simulated single views whether two pieces of surface are one object; writes the weights of the network.

Each view is segmented into convex pieces as `cousins scan` does it. A piece belongs to the thing that most of its
pixels show, if that is at least three quarters of them. Pairs that border each other are examples: as they are, with
the pieces of each thing joined at random, and then as they are compared while true pairs are joined in the order that
the network of the last round prefers, so that it learns from the states that it will meet. The network is the mean of
three perceptrons of 32 and 16 units, trained by Adam on the cross-entropy with weight decay and noise on the inputs.
Things come from the asset families; scanned objects and real captures are kept for measuring. One core, about twenty
minutes for 120 views.

    python benchmarks/single_views/train_affinity.py --views 120 --write cousins/segment/affinity/weights.json
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cousins.geometry import Array
from cousins.segment.affinity.joining import JoiningConfig, PieceJoining
from cousins.segment.affinity.network import AffinityNetwork
from cousins.segment.affinity.pair_features import FEATURE_NAMES, candidate_pairs, pair_features, summarise
from cousins.segment.affinity.view_pieces import ViewPieces
from cousins.segment.parts.contacts import members_by_label
from cousins.segment.parts.convex_patches import PatchConfig
from cousins.segment.single_view import find_pieces
from cousins.segment.structure.detection import find_planes
from cousins.segment.structure.planes import PlaneConfig
from cousins.segment.surfaces.depth_view import foreground_view
from program import program_parser, run_program
from scenes.single_views import single_view

UNITS = (32, 16)
"""Units of the hidden layers."""
MEMBERS = 3
"""Perceptrons that are trained from different starts and averaged."""
EPOCHS = 25
BATCH = 256
LEARNING_RATE = 3e-3
WEIGHT_DECAY = 2e-3
INPUT_NOISE = 0.15
"""Standard deviation of the noise on standardised features."""
LEAST_PURITY = 0.75
"""Share of a piece's pixels on one thing from which it has a truth."""
JOINED_VERSIONS = 2
"""Versions of each view with pieces of one thing joined at random."""
ROUNDS = 2
"""Rounds of training: on random states, then on those that joining visits."""
COLORLESS_STEP = 5
"""One view in this many has no colour."""
HELD_OUT_STEP = 6
"""One view in this many is not trained on while the figures are taken."""

Examples = tuple[Array, Array]
"""Features [m, f] and whether each pair is one thing, bool [m]."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class TrainingView:
    """Pieces of one view with their truth."""

    seed: int
    """Seed of the view."""
    pieces: ViewPieces
    """Its convex pieces."""
    items: Array
    """Thing of each of their points, -1 none, int64 [n]."""


def main() -> None:
    parser = program_parser(__doc__, seed=0)
    parser.add_argument("--views", type=int, default=120, help="simulated views (120)")
    parser.add_argument("--write", type=Path, help="write the weights here")
    run_program(parser, measure)


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        candidates = [training_view(number, arguments.seed, Path(folder)) for number in range(arguments.views)]
    views = [view for view in candidates if view is not None]
    held_out = views[::HELD_OUT_STEP]
    network = learn([view for k, view in enumerate(views) if k % HELD_OUT_STEP], seed=arguments.seed)
    figures = quality(network, [guided_examples(view, network) for view in held_out])
    if arguments.write:
        arguments.write.write_text(json.dumps(record_of(learn(views, seed=arguments.seed))) + "\n")
    return {"views": len(views), **figures}


def training_view(number: int, seed: int, folder: Path) -> TrainingView | None:
    """Return the pieces of one simulated view, None where it shows nothing; every other one is a phone's."""
    view_seed = 10_000 * (seed + 1) + number
    view = single_view(view_seed, "kinect" if number % 2 == 0 else "lidar", folder)
    planes = PlaneConfig(samples=25_000, samples_per_frame=25_000)
    structure = find_planes(view.capture, config=planes, rng=np.random.default_rng(0))
    foreground = foreground_view(view.capture.frames[0], structure)
    if len(foreground.rows) == 0:
        return None
    pieces = find_pieces(foreground, structure, patch=PatchConfig())
    if number % COLORLESS_STEP == COLORLESS_STEP - 1:
        unknown = np.full(pieces.colors.shape, np.nan)
        border = replace(pieces.border, color_step=np.zeros(len(pieces.border.first)))
        pieces = replace(pieces, colors=unknown, border=border)
    return TrainingView(seed=view_seed, pieces=pieces, items=view.labels[pieces.pixels[:, 0], pieces.pixels[:, 1]])


def learn(views: Sequence[TrainingView], *, seed: int) -> AffinityNetwork:
    """Return the network that `ROUNDS` rounds of training give, each on the states that joining by the last visits."""
    examples = [random_examples(view) for view in views]
    network = fit(examples, seed=seed)
    for _ in range(ROUNDS - 1):
        guided = [guided_examples(view, network) for view in views]
        examples = [_concatenated(pair) for pair in zip(examples, guided, strict=True)]
        network = fit(examples, seed=seed)
    return network


def random_examples(view: TrainingView) -> Examples:
    """Return pairs of the pieces of a view, as they are and joined at random."""
    rng = np.random.default_rng(view.seed)
    versions = [view.pieces]
    for _ in range(JOINED_VERSIONS):
        versions.append(view.pieces.relabelled(_randomly_joined(_truth(view.pieces, view.items)[0], rng)))
    return _concatenated([_all_pairs(pieces, view.items) for pieces in versions])


def guided_examples(view: TrainingView, network: AffinityNetwork) -> Examples:
    """Return the pairs that are compared while true pairs are joined in the order that a network prefers."""
    state = RecordedJoining(view, network)
    while True:
        pairs = [(score, -a, -b) for (a, b), score in state.scores.items() if state.is_same((a, b))]
        if not pairs:
            break
        _, a, b = max(pairs)
        state.join(-a, -b)
    return np.array(state.features).reshape(-1, len(FEATURE_NAMES)), np.array(state.same, dtype=bool)


class RecordedJoining(PieceJoining):
    """Joining that keeps each pair it compares whose truth is known."""

    def __init__(self, view: TrainingView, network: AffinityNetwork) -> None:
        """Compare the pieces of a view."""
        self.item_of_piece, self.is_pure = _truth(view.pieces, view.items)
        self.features: list[Array] = []
        self.same: list[bool] = []
        super().__init__(view.pieces, network.log_odds, JoiningConfig())

    def is_same(self, pair: tuple[int, int]) -> bool:
        """Return whether both pieces belong to one thing."""
        return self._is_known(pair) and bool(self.item_of_piece[pair[0]] == self.item_of_piece[pair[1]])

    def features_of(self, pairs: list[tuple[int, int]]) -> Array:
        """Return the features of pairs and keep those whose truth is known."""
        features = super().features_of(pairs)
        for pair, row in zip(pairs, features, strict=True):
            if self._is_known(pair):
                self.features.append(row)
                self.same.append(self.is_same(pair))
        return features

    def _is_known(self, pair: tuple[int, int]) -> bool:
        return bool(self.is_pure[list(pair)].all()) and max(self.item_of_piece[list(pair)]) >= 0


def _truth(pieces: ViewPieces, items: Array) -> tuple[Array, Array]:
    """Return the thing of each piece, -1 none, int64 [k], and whether most of the piece shows it, bool [k]."""
    table = np.zeros((int(pieces.labels.max()) + 1, int(items.max(initial=-1)) + 2))
    np.add.at(table, (pieces.labels, items + 1), 1)
    return table.argmax(axis=1) - 1, table.max(axis=1) >= LEAST_PURITY * table.sum(axis=1)


def _concatenated(parts: Sequence[Examples]) -> Examples:
    return np.concatenate([features for features, _ in parts]), np.concatenate([same for _, same in parts])


def _randomly_joined(thing_of_piece: Array, rng: np.random.Generator) -> Array:
    """Return groups of pieces, int64 [k]: those of each thing in up to three parts, or left as they are."""
    group = np.arange(len(thing_of_piece))
    for item_of_piece in np.unique(thing_of_piece[thing_of_piece >= 0]):
        members = np.flatnonzero(thing_of_piece == item_of_piece)
        if rng.uniform() < 0.3:
            continue
        part = rng.integers(0, min(3, len(members)), len(members))
        for number in np.unique(part):
            group[members[part == number]] = members[part == number][0]
    return np.asarray(np.unique(group, return_inverse=True)[1].ravel())


def _all_pairs(pieces: ViewPieces, items: Array) -> Examples:
    item_of_piece, is_pure = _truth(pieces, items)
    config = JoiningConfig()
    summaries = [summarise(pieces, k, members) for k, members in enumerate(members_by_label(pieces.labels))]
    large = [s.area_m2 >= config.min_area_m2 and len(s.members) >= config.min_pixels for s in summaries]
    features, same = [], []
    for a, b in candidate_pairs(pieces):
        if large[a] and large[b] and is_pure[a] and is_pure[b] and max(item_of_piece[a], item_of_piece[b]) >= 0:
            features.append(pair_features(pieces, summaries[a], summaries[b]))
            same.append(item_of_piece[a] == item_of_piece[b])
    return np.array(features).reshape(-1, len(FEATURE_NAMES)), np.array(same, dtype=bool)


def fit(views: Sequence[Examples], *, seed: int) -> AffinityNetwork:
    """Return the network trained on the examples of all views; a view of n examples weighs as √n."""
    features, same = (np.concatenate([view[k] for view in views]) for k in (0, 1))
    weight = np.concatenate([np.full(len(view[1]), 1.0 / np.sqrt(len(view[1]))) for view in views])
    mean, scale = features.mean(axis=0), features.std(axis=0) + 1e-3
    standardised, balanced = (features - mean) / scale, weight / weight.mean()
    members = [
        _trained(standardised, same, balanced, np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(k,))))
        for k in range(MEMBERS)
    ]
    return AffinityNetwork(
        mean=mean.round(5),
        scale=scale.round(5),
        members=tuple(tuple((w.round(4), b.round(4)) for w, b in layers) for layers in members),
    )


def _trained(x: Array, y: Array, weight: Array, rng: np.random.Generator) -> list[tuple[Array, Array]]:
    sizes = (x.shape[1], *UNITS, 1)
    values: list[Array] = []
    for inputs, outputs in pairwise(sizes):
        values += [rng.normal(size=(inputs, outputs)) * np.sqrt(2.0 / inputs), np.zeros(outputs)]
    first, second = [np.zeros_like(v) for v in values], [np.zeros_like(v) for v in values]
    step = 0
    for epoch in range(EPOCHS):
        order = rng.permutation(len(x))
        rate = 0.5 * LEARNING_RATE * (1.0 + np.cos(np.pi * epoch / EPOCHS))
        for start in range(0, len(x), BATCH):
            rows = order[start : start + BATCH]
            noisy = x[rows] + INPUT_NOISE * rng.normal(size=(len(rows), x.shape[1]))
            step += 1
            for k, slope in enumerate(_gradient(values, noisy, y[rows], weight[rows])):
                first[k] = 0.9 * first[k] + 0.1 * slope
                second[k] = 0.999 * second[k] + 0.001 * slope**2
                spread = np.sqrt(second[k] / (1.0 - 0.999**step)) + 1e-8
                values[k] = values[k] - rate * first[k] / (1.0 - 0.9**step) / spread
    return list(zip(values[0::2], values[1::2], strict=True))


def _gradient(values: Sequence[Array], x: Array, y: Array, weight: Array) -> list[Array]:
    """Return the gradient of the weighted cross-entropy by weights and biases in turn."""
    layers = len(values) // 2
    inputs = [x]
    for k in range(layers):
        output = inputs[-1] @ values[2 * k] + values[2 * k + 1]
        inputs.append(np.maximum(output, 0.0) if k < layers - 1 else output)
    slope = ((1.0 / (1.0 + np.exp(-inputs[-1][:, 0])) - y) * weight / len(y))[:, None]
    gradient: list[Array] = []
    for k in reversed(range(layers)):
        gradient = [inputs[k].T @ slope + WEIGHT_DECAY * values[2 * k], slope.sum(axis=0), *gradient]
        slope = (slope @ values[2 * k].T) * (inputs[k] > 0.0)
    return gradient


def quality(network: AffinityNetwork, views: Sequence[Examples]) -> dict[str, float]:
    """Return the figures on views that were not trained on."""
    features, same = (np.concatenate([view[k] for view in views]) for k in (0, 1))
    log_odds = network.log_odds(features)
    joined = log_odds > 0.0
    return {
        "accuracy": round(float((joined == same).mean()), 4),
        "cross_entropy": round(float(np.log1p(np.exp(-np.where(same, log_odds, -log_odds))).mean()), 4),
        "wrongly_joined": round(float(joined[~same].mean()), 4),
        "wrongly_apart": round(float((~joined[same]).mean()), 4),
    }


def record_of(network: AffinityNetwork) -> dict[str, Any]:
    """Return the network as the JSON record that `network_of` reads."""
    return {
        "features": list(FEATURE_NAMES),
        "mean": network.mean.tolist(),
        "scale": network.scale.tolist(),
        "members": [[[weights.tolist(), biases.tolist()] for weights, biases in layers] for layers in network.members],
    }


if __name__ == "__main__":
    main()
