"""Candidates from a user's own library: assets with the same affordances, nearest in size first."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cousins.affordances import Signature, missing_affordances
from cousins.families.library import LibraryAsset
from cousins.reconstruct.assets import Asset
from cousins.vary.library.variants import AssetCandidate, CandidateSource


def library_candidates(assets: Sequence[LibraryAsset]) -> CandidateSource:
    """Return a candidate source over the assets of a library; each asset is a group of its own."""

    def candidates(
        asset: Asset, signature: Signature, count: int, rng: np.random.Generator
    ) -> Sequence[AssetCandidate]:
        del asset, rng
        suitable = [
            library_asset for library_asset in assets if not missing_affordances(signature, library_asset.signature)
        ]
        suitable.sort(key=lambda library_asset: (size_distance(signature, library_asset.signature), library_asset.name))
        return [
            AssetCandidate(
                asset=library_asset.asset,
                kind="library",
                group=library_asset.name,
                origin=f"library {library_asset.name}",
                licence=library_asset.licence,
            )
            for library_asset in suitable[:count]
        ]

    return candidates


def size_distance(first: Signature, second: Signature) -> float:
    """Return the root mean square of the log ratios of two assets' extents; 0 for the same size."""
    ratios = np.maximum(first.size_m, 1e-6) / np.maximum(second.size_m, 1e-6)
    return float(np.sqrt(np.mean(np.log(ratios) ** 2)))
