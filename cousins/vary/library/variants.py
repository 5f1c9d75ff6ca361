"""The variant library of a pack: replacements of each object, each proven to have its affordances."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np

from cousins.affordances import Signature
from cousins.affordances.comparison import missing_affordances
from cousins.affordances.measure import measure_affordances
from cousins.geometry import Array, transform
from cousins.reconstruct.assets import Asset
from cousins.reconstruct.kinematics import asset_from_links
from cousins.rounding import round_length
from cousins.scene.scenes import PlacedAsset, Scene
from cousins.vary.cousins import Library, Variant
from cousins.vary.distance import shape_distance
from cousins.vary.library.deform import Deformation, deform
from cousins.vary.poses import tilt_of
from cousins.vary.recipes import Recipe, ShapeRange, Splits

MAX_BEND_TRIES: Final = 4
"""Most tries to deform an object into a shape that keeps its affordances."""
MAX_BENT_SIZE_M: Final = 0.6
"""Longer objects are furniture [m]: they are neither deformed nor swapped where they support something."""

PhysicsProof = Callable[[Asset, Array], tuple[str, ...]]
"""Returns the failures of an asset, rotated by [3, 3], in physics; empty where its affordances hold."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class AssetCandidate:
    """An asset of other origin that may replace an object or serve as clutter."""

    asset: Asset
    """The asset."""
    kind: Literal["family", "library", "clutter"]
    """Kind of its source."""
    group: str
    """Family, or asset of the library; a group is held out as a whole."""
    origin: str
    """Description of its origin."""
    licence: str
    """SPDX name of the licence."""


CandidateSource = Callable[[Asset, Signature, int, np.random.Generator], Sequence[AssetCandidate]]
"""Called with an asset, its affordances, the largest number of candidates and a generator."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class LibraryBuild:
    """A variant library, and the variants rejected while it was built."""

    library: Library
    """The library."""
    refused: Mapping[str, int]
    """Number of rejected variants by reason."""


def make_library(
    scene: Scene,
    recipe: Recipe,
    *,
    seed: int,
    prove: PhysicsProof,
    sources: Sequence[CandidateSource] = (),
    clutter: Sequence[AssetCandidate] = (),
) -> LibraryBuild:
    """Return the variant library of a scene; the same arguments give the same library on every machine."""
    refused: Counter[str] = Counter()
    variants: dict[str, Variant] = {}
    groups: dict[str, str] = {}
    for index, placed in enumerate(scene.objects):
        asset = placed.asset
        signature = measure_affordances(asset)
        variants[asset.name] = Variant(
            key=asset.name, twin_object=asset.name, kind="twin", asset=asset, signature=signature, origin="scan"
        )
        if placed.fixed:
            continue
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(1, index)))
        for variant in _shape_variants(placed, signature, recipe, rng, prove, refused):
            variants[variant.key] = variant
            groups[variant.key] = "shape"
        for candidate, variant in _swap_variants(placed, signature, recipe, rng, prove, sources, refused):
            variants[variant.key] = variant
            groups[variant.key] = candidate.group
    for number, candidate in enumerate(clutter):
        failures = prove(candidate.asset, np.eye(3))
        refused.update(f"clutter: {failure}" for failure in failures)
        if not failures:
            key = f"clutter-{number:02d}"
            variants[key] = _candidate_variant(key, "", candidate, measure_affordances(candidate.asset), 0.0)
    return LibraryBuild(
        library=Library(scene=scene, variants=_with_held_out(variants, groups, recipe.splits)),
        refused=dict(sorted(refused.items())),
    )


def sample_deformation(ranges: ShapeRange, amount: float, rng: np.random.Generator) -> Deformation:
    """Return a sampled deformation, from none (`amount` 0) to the full ranges (1)."""

    def around(neutral: float, value: float) -> float:
        return round(float(neutral + amount * (value - neutral)), 4)

    x, y, z = (around(1.0, ranges.stretch.at_quantile(rng.uniform())) for _ in range(3))
    return Deformation(
        stretch=(x, y, z),
        taper=around(0.0, ranges.taper.at_quantile(rng.uniform())),
        twist_rad=around(0.0, ranges.twist_rad.at_quantile(rng.uniform())),
        bow=(around(0.0, ranges.bend.at_quantile(rng.uniform())), around(0.0, ranges.bend.at_quantile(rng.uniform()))),
    )


def _shape_variants(
    placed: PlacedAsset,
    signature: Signature,
    recipe: Recipe,
    rng: np.random.Generator,
    prove: PhysicsProof,
    refused: Counter[str],
) -> list[Variant]:
    variants = []
    name = placed.asset.name
    count = round(recipe.shape.variants.at_quantile(rng.uniform())) if recipe.distance["shape"] > 0.0 else 0
    for number in range(count):
        for _ in range(MAX_BEND_TRIES):
            amount = recipe.distance["shape"] * (number + 1.0) / count
            deformation = sample_deformation(recipe.shape, amount, rng)
            asset = _rounded(deform(placed.asset, deformation, name=name))
            bent_signature = measure_affordances(asset)
            failures = missing_affordances(signature, bent_signature) or prove(asset, tilt_of(placed.world_from_asset))
            refused.update(f"shape: {_reason_without_numbers(failure)}" for failure in failures)
            if not failures:
                key = f"{name}-shape-{number:02d}"
                variants.append(
                    Variant(
                        key=key,
                        twin_object=name,
                        kind="shape",
                        asset=asset,
                        signature=bent_signature,
                        origin=deformation.describe(),
                        shape_distance=round(shape_distance(placed.asset, asset), 6),
                    )
                )
                break
    return variants


def _swap_variants(
    placed: PlacedAsset,
    signature: Signature,
    recipe: Recipe,
    rng: np.random.Generator,
    prove: PhysicsProof,
    sources: Sequence[CandidateSource],
    refused: Counter[str],
) -> list[tuple[AssetCandidate, Variant]]:
    if recipe.distance["swap"] <= 0.0:
        return []
    pairs: list[tuple[AssetCandidate, Variant]] = []
    low, high = recipe.swap.size_ratio.bounds
    count_ranges = {"family": recipe.swap.families, "library": recipe.swap.library}
    for source in sources:
        max_count = max(round(item.at_quantile(0.5)) for item in count_ranges.values())
        counts: Counter[str] = Counter()
        for candidate in source(placed.asset, signature, 3 * max_count, rng):
            if candidate.kind == "clutter" or counts[candidate.kind] >= round(
                count_ranges[candidate.kind].at_quantile(0.5)
            ):
                continue
            asset = _rounded(replace(candidate.asset, name=placed.asset.name))
            candidate_signature = measure_affordances(asset)
            ratio = np.array(candidate_signature.size_m) / np.maximum(np.array(signature.size_m), 1e-6)
            failures: tuple[str, ...] = ()
            if ratio.min() < low or ratio.max() > high:
                failures = ("size does not match",)
            failures = failures or missing_affordances(signature, candidate_signature) or prove(asset, np.eye(3))
            refused.update(f"swap: {_reason_without_numbers(failure)}" for failure in failures)
            if failures:
                continue
            key = f"{placed.asset.name}-{candidate.kind}-{counts[candidate.kind]:02d}"
            counts[candidate.kind] += 1
            pairs.append(
                (
                    candidate,
                    _candidate_variant(
                        key, placed.asset.name, candidate, candidate_signature, shape_distance(placed.asset, asset)
                    ),
                )
            )
    return pairs


def _candidate_variant(
    key: str, object_name: str, candidate: AssetCandidate, signature: Signature, distance: float
) -> Variant:
    return Variant(
        key=key,
        twin_object=object_name,
        kind=candidate.kind,
        asset=candidate.asset if object_name == "" else replace(candidate.asset, name=object_name),
        signature=signature,
        origin=candidate.origin,
        licence=candidate.licence,
        swap_distance=round(distance, 6),
    )


def _with_held_out(variants: dict[str, Variant], groups: Mapping[str, str], splits: Splits) -> dict[str, Variant]:
    """Return the variants, with the farthest shapes and the farthest whole groups of swaps marked as held out."""
    held_out_keys: set[str] = set()
    for name in sorted({variant.twin_object for variant in variants.values() if variant.twin_object}):
        alternatives = [variant for variant in variants.values() if variant.twin_object == name]
        shapes = sorted(
            (entry for entry in alternatives if entry.kind == "shape"),
            key=lambda variant: (-variant.shape_distance, variant.key),
        )
        held_out_keys |= {entry.key for entry in shapes[: round(splits.far_shapes * len(shapes))]}
        swaps = [entry for entry in alternatives if entry.kind in ("family", "library")]
        mean = {
            group: float(np.mean([entry.swap_distance for entry in swaps if groups[entry.key] == group]))
            for group in {groups[entry.key] for entry in swaps}
        }
        count = 0
        for group in sorted(mean, key=lambda group: (-mean[group], group)):
            members = {entry.key for entry in swaps if groups[entry.key] == group}
            if count + len(members) <= round(2.0 * splits.far_shapes * len(swaps)) and count < len(swaps) / 2:
                held_out_keys |= members
                count += len(members)
    return {key: replace(variant, held_out=key in held_out_keys) for key, variant in variants.items()}


def _rounded(asset: Asset) -> Asset:
    """Return an asset whose collision pieces and visual meshes are rounded as in files."""
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


def _reason_without_numbers(failure: str) -> str:
    """Return a rejection reason with its numbers replaced, so that reasons can be counted."""
    return " ".join("…" if any(letter.isdigit() for letter in word) else word for word in failure.split())


def lowest_point_m(asset: Asset, rotation: Array | None = None) -> float:
    """Return the height of an asset's lowest point [m] when rotated about its origin by [3, 3]."""
    poses = asset_from_links(asset)
    up = np.array([0.0, 0.0, 1.0]) if rotation is None else rotation[2]
    return float(
        min(
            (transform(poses[link.name], piece.mesh.vertices) @ up).min()
            for link in asset.links
            for piece in link.pieces
        )
    )
