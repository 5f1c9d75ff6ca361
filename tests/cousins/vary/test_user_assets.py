"""A user's library offers what affords the same, nearest in size first."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cousins.affordances import measure_affordances
from cousins.families.family import load_family
from cousins.families.library import LibraryAsset
from cousins.vary.library.user_assets import library_candidates, size_distance


def library() -> list[LibraryAsset]:
    assets = []
    for name in ("cup", "mug", "box"):
        rng = np.random.default_rng(4)
        object_family = load_family(name)
        asset = object_family.build(object_family.sample(rng), name=name, rng=rng, texture_px=0)
        signature = measure_affordances(asset)
        assets.append(
            LibraryAsset(
                name=f"shop/{name}", asset=asset, signature=signature, licence="MIT", origin="a test", source_digest=""
            )
        )
    return assets


def test_candidates_have_the_same_affordances_and_come_nearest_in_size_first() -> None:
    assets = library()
    cup, mug, _ = assets
    candidates = library_candidates(assets)(cup.asset, cup.signature, 5, np.random.default_rng(0))
    assert candidates[0].group == "shop/cup"
    assert "shop/box" not in [candidate.group for candidate in candidates]
    assert {(candidate.kind, candidate.licence) for candidate in candidates} == {("library", "MIT")}
    anything = replace(cup.signature, grasps=(), cavity=None, support=None)
    everything = library_candidates(assets)(cup.asset, anything, 5, np.random.default_rng(0))
    distances = [size_distance(anything, next(a.signature for a in assets if a.name == o.group)) for o in everything]
    assert len(everything) == 3
    assert distances == sorted(distances)
    assert len(library_candidates(assets)(mug.asset, anything, 1, np.random.default_rng(0))) == 1
