"""Assets of a user's own library that may stand in an object's place: those that afford the same, by size."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cousins.affordances import Signature, lost
from cousins.families.library import LibraryAsset
from cousins.reconstruct.assets import Asset
from cousins.vary.library.variants import Offer, Offers


def library_offers(assets: Sequence[LibraryAsset]) -> Offers:
    """Return the source of offers that a library is; each of its assets is a group of its own."""

    def offers(asset: Asset, signature: Signature, count: int, rng: np.random.Generator) -> Sequence[Offer]:
        del asset, rng
        fitting = [one for one in assets if not lost(signature, one.signature)]
        fitting.sort(key=lambda one: (size_distance(signature, one.signature), one.name))
        return [
            Offer(asset=one.asset, kind="library", group=one.name, origin=f"library {one.name}", licence=one.licence)
            for one in fitting[:count]
        ]

    return offers


def size_distance(first: Signature, second: Signature) -> float:
    """Return the root mean square of the logarithms of the ratios of extents; 0 for the same size."""
    ratios = np.maximum(first.size_m, 1e-6) / np.maximum(second.size_m, 1e-6)
    return float(np.sqrt(np.mean(np.log(ratios) ** 2)))
