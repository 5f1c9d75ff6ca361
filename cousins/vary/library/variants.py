"""The library of a pack: what may stand in the place of each object, each proven to afford what the object does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np

from cousins.affordances import Signature
from cousins.affordances.comparison import lost
from cousins.affordances.measure import signature_of
from cousins.geometry import Array, transform
from cousins.reconstruct.assets import Asset
from cousins.scene.io.rounding import round_length
from cousins.scene.kinematics import asset_from_links
from cousins.scene.scenes import Placed, Scene
from cousins.vary.cousins import Library, Variant
from cousins.vary.distance import shape_distance
from cousins.vary.library.deform import Bend, bent
from cousins.vary.poses import tilt_of
from cousins.vary.recipes import Recipe, Shape, Splits

TRIES: Final = 4
"""Tries to bend an object into a shape that keeps what it affords."""
LARGEST_M: Final = 0.6
"""What is longer is furniture: it is neither bent nor swapped where it carries something [m]."""

Proof = Callable[[Asset, Array], tuple[str, ...]]
"""Tells in words what of an asset, turned by a rotation [3, 3], does not hold in physics; empty for all is well."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Offer:
    """An asset from elsewhere that might do."""

    asset: Asset
    """The asset."""
    kind: Literal["family", "library", "clutter"]
    """Where it comes from."""
    group: str
    """Family, or category of the library: held out as one."""
    origin: str
    """In words."""
    licence: str
    """SPDX name of the licence."""


Offers = Callable[[Asset, Signature, int, np.random.Generator], Sequence[Offer]]
"""Called with an object, what it affords, how many are wanted, and chance."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Made:
    """A library and what was refused on the way."""

    library: Library
    """The library."""
    refused: Mapping[str, int]
    """Number of refused variants by reason."""


def make_library(
    scene: Scene,
    recipe: Recipe,
    *,
    seed: int,
    prove: Proof,
    offers: Sequence[Offers] = (),
    clutter: Sequence[Offer] = (),
) -> Made:
    """Return what cousins of a scene are put together from; the same for the same arguments, anywhere."""
    refused: Counter[str] = Counter()
    variants: dict[str, Variant] = {}
    groups: dict[str, str] = {}
    for index, placed in enumerate(scene.objects):
        asset = placed.asset
        signature = signature_of(asset)
        variants[asset.name] = Variant(
            key=asset.name, of=asset.name, kind="twin", asset=asset, signature=signature, origin="scan"
        )
        if placed.fixed:
            continue
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(1, index)))
        for variant in _shapes(placed, signature, recipe, rng, prove, refused):
            variants[variant.key] = variant
            groups[variant.key] = "shape"
        for offer, variant in _swaps(placed, signature, recipe, rng, prove, offers, refused):
            variants[variant.key] = variant
            groups[variant.key] = offer.group
    for number, offer in enumerate(clutter):
        failures = prove(offer.asset, np.eye(3))
        refused.update(f"clutter: {failure}" for failure in failures)
        if not failures:
            key = f"clutter-{number:02d}"
            variants[key] = _variant(key, "", offer, signature_of(offer.asset), 0.0)
    return Made(
        library=Library(scene=scene, variants=_held_out(variants, groups, recipe.splits)),
        refused=dict(sorted(refused.items())),
    )


def draw_bend(ranges: Shape, amount: float, rng: np.random.Generator) -> Bend:
    """Return a change of shape, from none (`amount` 0) to the whole ranges (1)."""

    def around(neutral: float, value: float) -> float:
        return round(float(neutral + amount * (value - neutral)), 4)

    x, y, z = (around(1.0, ranges.stretch.at(rng.uniform())) for _ in range(3))
    return Bend(
        stretch=(x, y, z),
        taper=around(0.0, ranges.taper.at(rng.uniform())),
        twist_rad=around(0.0, ranges.twist_rad.at(rng.uniform())),
        bow=(around(0.0, ranges.bend.at(rng.uniform())), around(0.0, ranges.bend.at(rng.uniform()))),
    )


def _shapes(
    placed: Placed,
    signature: Signature,
    recipe: Recipe,
    rng: np.random.Generator,
    prove: Proof,
    refused: Counter[str],
) -> list[Variant]:
    found = []
    name = placed.asset.name
    count = round(recipe.shape.variants.at(rng.uniform())) if recipe.distance["shape"] > 0.0 else 0
    for number in range(count):
        for _ in range(TRIES):
            amount = recipe.distance["shape"] * (number + 1.0) / count
            bend = draw_bend(recipe.shape, amount, rng)
            asset = _rounded(bent(placed.asset, bend, name=name))
            own = signature_of(asset)
            failures = lost(signature, own) or prove(asset, tilt_of(placed.world_from_asset))
            refused.update(f"shape: {_kind(failure)}" for failure in failures)
            if not failures:
                key = f"{name}-shape-{number:02d}"
                found.append(
                    Variant(
                        key=key,
                        of=name,
                        kind="shape",
                        asset=asset,
                        signature=own,
                        origin=bend.words(),
                        shape_distance=round(shape_distance(placed.asset, asset), 6),
                    )
                )
                break
    return found


def _swaps(
    placed: Placed,
    signature: Signature,
    recipe: Recipe,
    rng: np.random.Generator,
    prove: Proof,
    offers: Sequence[Offers],
    refused: Counter[str],
) -> list[tuple[Offer, Variant]]:
    if recipe.distance["swap"] <= 0.0:
        return []
    found: list[tuple[Offer, Variant]] = []
    low, high = recipe.swap.size_ratio.ends
    wanted = {"family": recipe.swap.families, "library": recipe.swap.library}
    for source in offers:
        most = max(round(item.at(0.5)) for item in wanted.values())
        counts: Counter[str] = Counter()
        for offer in source(placed.asset, signature, 3 * most, rng):
            if offer.kind == "clutter" or counts[offer.kind] >= round(wanted[offer.kind].at(0.5)):
                continue
            asset = _rounded(replace(offer.asset, name=placed.asset.name))
            own = signature_of(asset)
            ratio = np.array(own.size_m) / np.maximum(np.array(signature.size_m), 1e-6)
            failures: tuple[str, ...] = ()
            if ratio.min() < low or ratio.max() > high:
                failures = ("size does not match",)
            failures = failures or lost(signature, own) or prove(asset, np.eye(3))
            refused.update(f"swap: {_kind(failure)}" for failure in failures)
            if failures:
                continue
            key = f"{placed.asset.name}-{offer.kind}-{counts[offer.kind]:02d}"
            counts[offer.kind] += 1
            found.append((offer, _variant(key, placed.asset.name, offer, own, shape_distance(placed.asset, asset))))
    return found


def _variant(key: str, of: str, offer: Offer, signature: Signature, distance: float) -> Variant:
    return Variant(
        key=key,
        of=of,
        kind=offer.kind,
        asset=offer.asset if of == "" else replace(offer.asset, name=of),
        signature=signature,
        origin=offer.origin,
        licence=offer.licence,
        swap_distance=round(distance, 6),
    )


def _held_out(variants: dict[str, Variant], groups: Mapping[str, str], splits: Splits) -> dict[str, Variant]:
    """Return the variants with the farthest shapes, and the farthest families as a whole, held out."""
    held: set[str] = set()
    for name in sorted({variant.of for variant in variants.values() if variant.of}):
        own = [variant for variant in variants.values() if variant.of == name]
        shapes = sorted((one for one in own if one.kind == "shape"), key=lambda one: (-one.shape_distance, one.key))
        held |= {one.key for one in shapes[: round(splits.far_shapes * len(shapes))]}
        swaps = [one for one in own if one.kind in ("family", "library")]
        mean = {
            group: float(np.mean([one.swap_distance for one in swaps if groups[one.key] == group]))
            for group in {groups[one.key] for one in swaps}
        }
        count = 0
        for group in sorted(mean, key=lambda group: (-mean[group], group)):
            members = {one.key for one in swaps if groups[one.key] == group}
            if count + len(members) <= round(2.0 * splits.far_shapes * len(swaps)) and count < len(swaps) / 2:
                held |= members
                count += len(members)
    return {key: replace(variant, held_out=key in held) for key, variant in variants.items()}


def _rounded(asset: Asset) -> Asset:
    """Return an asset whose collision pieces and looks are as they will be written."""
    links = tuple(
        replace(
            link,
            visual=replace(link.visual, vertices=round_length(link.visual.vertices)),
            pieces=tuple(
                replace(piece, mesh=replace(piece.mesh, vertices=round_length(piece.mesh.vertices)))
                for piece in link.pieces
            ),
        )
        for link in asset.links
    )
    return replace(asset, links=links)


def _kind(failure: str) -> str:
    """Return a reason without its numbers, to be counted."""
    return " ".join("…" if any(letter.isdigit() for letter in word) else word for word in failure.split())


def lowest_point_m(asset: Asset, rotation: Array | None = None) -> float:
    """Return the lowest point of an asset's pieces [m], turned about its origin by a rotation [3, 3]."""
    poses = asset_from_links(asset)
    up = np.array([0.0, 0.0, 1.0]) if rotation is None else rotation[2]
    return float(
        min(
            (transform(poses[link.name], piece.mesh.vertices) @ up).min()
            for link in asset.links
            for piece in link.pieces
        )
    )
