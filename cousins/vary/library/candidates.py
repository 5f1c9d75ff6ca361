"""Where swapped assets come from: families in the object's size, and the user's own library."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from cousins.affordances import Signature
from cousins.families.family import PACKAGE, Family, family_names
from cousins.plugins import load
from cousins.reconstruct.assets import Asset
from cousins.vary.library.variants import Offer

LICENCE: Final = "Apache-2.0"
"""Licence of what families make."""
CLUTTER: Final = ("ball", "book", "bottle", "box", "can", "cup")
"""Families that clutter is drawn from."""
MOST_CLUTTER_M: Final = 0.2
"""Longest side of clutter [m]."""
TEXTURE_PX: Final = 128
"""Side of a family's texture [px]."""


def families() -> dict[str, Family]:
    """Return all families by name."""
    found: dict[str, Family] = {}
    for name in family_names():
        module = load(PACKAGE, name, kind="family")
        found[name] = module.build(module.Config())
    return found


def family_offers(asset: Asset, signature: Signature, count: int, rng: np.random.Generator) -> Sequence[Offer]:
    """Return instances of families in an object's size, each family in turn, until enough are there.

    The family that the object's label names comes first, and twice as often.
    """
    del signature
    known = families()
    order = [sorted(known)[index] for index in rng.permutation(len(known))]
    called = [name for name in order if name.replace("_", " ") in asset.label.lower()]
    order = [*called, *order]
    found: list[Offer] = []
    for _ in range(2):
        for name in order:
            if len(found) >= count:
                return found
            values = known[name].sized_like(asset.size_m, rng)
            if values is None:
                continue
            made = known[name].build(values, name=asset.name, rng=rng, texture_px=TEXTURE_PX)
            found.append(Offer(asset=made, kind="family", group=name, origin=f"family {name}", licence=LICENCE))
    return found


def clutter_offers(count: int, *, seed: int) -> Sequence[Offer]:
    """Return small things that no one's place is taken by."""
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(3,)))
    known = families()
    names = [name for name in CLUTTER if name in known]
    found: list[Offer] = []
    for number in range(count):
        family = known[names[number % len(names)]]
        for _ in range(20):
            made = family.build(family.draw(rng), name="clutter", rng=rng, texture_px=TEXTURE_PX)
            if float(made.size_m.max()) <= MOST_CLUTTER_M:
                found.append(
                    Offer(
                        asset=made, kind="clutter", group=family.name, origin=f"family {family.name}", licence=LICENCE
                    )
                )
                break
    return found
