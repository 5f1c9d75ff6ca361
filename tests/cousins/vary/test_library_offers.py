"""A user's library offers what affords the same, nearest in size first."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cousins.affordances import signature_of
from cousins.families.family import family
from cousins.families.library import LibraryAsset
from cousins.vary.library.user_assets import library_offers, size_distance


def library() -> list[LibraryAsset]:
    found = []
    for name in ("cup", "mug", "box"):
        rng = np.random.default_rng(4)
        made = family(name)
        asset = made.build(made.draw(rng), name=name, rng=rng, texture_px=0)
        signature = signature_of(asset)
        found.append(
            LibraryAsset(
                name=f"shop/{name}", asset=asset, signature=signature, licence="MIT", origin="a test", source_digest=""
            )
        )
    return found


def test_only_what_affords_the_same_is_offered_nearest_in_size_first() -> None:
    assets = library()
    cup, mug, _ = assets
    offered = library_offers(assets)(cup.asset, cup.signature, 5, np.random.default_rng(0))
    assert offered[0].group == "shop/cup"
    assert "shop/box" not in [offer.group for offer in offered]
    assert {(offer.kind, offer.licence) for offer in offered} == {("library", "MIT")}
    anything = replace(cup.signature, grasps=(), cavity=None, support=None)
    everything = library_offers(assets)(cup.asset, anything, 5, np.random.default_rng(0))
    distances = [size_distance(anything, next(a.signature for a in assets if a.name == o.group)) for o in everything]
    assert len(everything) == 3
    assert distances == sorted(distances)
    assert len(library_offers(assets)(mug.asset, anything, 1, np.random.default_rng(0))) == 1
