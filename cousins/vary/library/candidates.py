"""Candidates for swapped assets and clutter, sampled from parametric families."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from cousins.affordances import Signature
from cousins.families.family import PACKAGE, Family, family_names
from cousins.plugins import load_backend
from cousins.reconstruct.assets import Asset
from cousins.vary.library.variants import AssetCandidate

FAMILY_LICENCE: Final = "Apache-2.0"
"""Licence of the assets that families make."""
CLUTTER_FAMILIES: Final = ("ball", "book", "bottle", "box", "can", "cup")
"""Families that clutter is sampled from."""
MAX_CLUTTER_SIZE_M: Final = 0.2
"""Longest side of clutter [m]."""
TEXTURE_PX: Final = 128
"""Side of a family's texture [px]."""


def load_families() -> dict[str, Family]:
    """Return all families by name."""
    families: dict[str, Family] = {}
    for name in family_names():
        module = load_backend(PACKAGE, name, kind="family")
        families[name] = module.build(module.Config())
    return families


def family_candidates(
    asset: Asset, signature: Signature, count: int, rng: np.random.Generator
) -> Sequence[AssetCandidate]:
    """Return up to `count` instances of families in the size of an asset, from each family in turn.

    The family that is named by the label of the asset comes first, and twice as often.
    """
    del signature
    families = load_families()
    order = [sorted(families)[index] for index in rng.permutation(len(families))]
    named = [name for name in order if name.replace("_", " ") in asset.label.lower()]
    order = [*named, *order]
    candidates: list[AssetCandidate] = []
    for _ in range(2):
        for name in order:
            if len(candidates) >= count:
                return candidates
            values = families[name].sample_with_size(asset.size_m, rng)
            if values is None:
                continue
            instance = families[name].build(values, name=asset.name, rng=rng, texture_px=TEXTURE_PX)
            candidates.append(
                AssetCandidate(
                    asset=instance, kind="family", group=name, origin=f"family {name}", licence=FAMILY_LICENCE
                )
            )
    return candidates


def clutter_candidates(count: int, *, seed: int) -> Sequence[AssetCandidate]:
    """Return up to `count` small instances of families that are added as clutter."""
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(3,)))
    families = load_families()
    names = [name for name in CLUTTER_FAMILIES if name in families]
    candidates: list[AssetCandidate] = []
    for number in range(count):
        family = families[names[number % len(names)]]
        for _ in range(20):
            instance = family.build(family.sample(rng), name="clutter", rng=rng, texture_px=TEXTURE_PX)
            if float(instance.size_m.max()) <= MAX_CLUTTER_SIZE_M:
                candidates.append(
                    AssetCandidate(
                        asset=instance,
                        kind="clutter",
                        group=family.name,
                        origin=f"family {family.name}",
                        licence=FAMILY_LICENCE,
                    )
                )
                break
    return candidates
