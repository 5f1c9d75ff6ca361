"""The worlds of `twin_vs_cousins.py`: cousins of a scan, some with assets of other kinds in the target's place."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np

from comparison.drawer import NAME, put_drawers
from comparison.units import foreign_units, require_foreign, write_units
from cousins.affordances import Signature
from cousins.affordances.measure import measure_affordances
from cousins.geometry import rigid, rotation_about
from cousins.pack.packs import Pack
from cousins.reconstruct.assets import Asset
from cousins.scene.scenes import PlacedAsset, Scene
from cousins.vary.cousins import Cousin
from cousins.vary.distributions import Constant
from cousins.vary.library.candidates import load_families
from cousins.vary.library.variants import lowest_point_m
from cousins.vary.placement.footprints import have_clearance
from cousins.vary.recipes import Recipe, SwapRange, recipe_toml
from sim.tasks.affordance_queries import footprint_from_above
from sim.tasks.task_source import PhysicsSource

SEED = 11
"""Of the cousins."""
KINDS = ("mug", "plush")
"""Families of the dissimilar assets, in turn; those of targets of the train split are left out."""
WIDEST_M = 0.16
"""Longest side of a dissimilar asset from above [m]; so wide are the widest targets that are trained."""
TRIES = 100
"""Most draws of such an asset."""
GAP_M = 0.003
"""Air to the other objects [m]."""
DRAWERS = "pack-drawer"
"""Name of the pack with a drawer unit."""
RECIPE = replace(Recipe(), swap=replace(SwapRange(), families=Constant(value=8), library=Constant(value=9)))
"""Of that pack: as usual, with enough swaps for all units of the library."""

Swapped = Callable[[int], PlacedAsset]
"""Returns by the number of a cousin an object of its scene as another asset in its place, under the old name."""


def prepare(out: Path, *, scene: Path | None, count: int, packs: Collection[str]) -> None:
    """Scan a scene, where none is given, and make packs of it by name, where that was not done before."""
    if DRAWERS in packs:
        require_foreign()
    scanned = scene or out / "scene"
    if not (scanned / "scene.json").is_file():
        _cousins("demo", "--force", "--no-policy", "-o", str(scanned))
    for name in packs:
        if not (out / name / "pack.json").is_file():
            words = _with_drawers(scanned, out) if name == DRAWERS else [str(scanned)]
            _cousins("vary", *words, "-n", str(count), "--seed", str(SEED), "-o", str(out / name))


def _with_drawers(scanned: Path, out: Path) -> list[str]:
    """Put drawers into a scanned scene and make other units; return the arguments for `cousins vary`."""
    scene, units, recipe = (out / name for name in ("scene-drawer", "units", "recipe-drawer.toml"))
    put_drawers(scanned, scene)
    write_units(units)
    recipe.write_text(recipe_toml(RECIPE), encoding="utf-8")
    return [str(scene), "--recipe", str(recipe), "--library", str(units)]


def dissimilar(pack: Pack, name: str) -> Dissimilar:
    """Return the dissimilar assets in a pack of that name."""
    return Dissimilar(pack, foreign_drawers(pack) if name == DRAWERS else other_kinds(pack))


class Dissimilar:
    """A pack in whose held-out cousins one object is another asset, where that finds room; nothing else changes."""

    def __init__(self, pack: Pack, swap: Swapped) -> None:
        self._source, self._swapped = PhysicsSource(pack), cache(swap)
        self.digest = f"{pack.digest}:dissimilar"
        held_out = pack.indices("heldout_near") + pack.indices("heldout_far")
        self.indices = [index for index in held_out if self._fits(index)]
        self.scene = cache(self._scene)

    def cousin(self, index: int) -> Cousin:
        """Return a cousin as parameters; its task is as before."""
        return self._source.cousin(index)

    def signatures(self, index: int) -> Mapping[str, Signature]:
        """Return what each object affords."""
        placed = self._swapped(index)
        return {**self._source.signatures(index), placed.asset.name: _measured(placed.asset)}

    def _scene(self, index: int) -> Scene:
        scene, placed = self._source.scene(index), self._swapped(index)
        name = placed.asset.name
        return replace(
            scene, objects=tuple(placed if original.asset.name == name else original for original in scene.objects)
        )

    def _fits(self, index: int) -> bool:
        """Return whether the asset has clearance to the other objects."""
        placed, objects = self._swapped(index), self._source.scene(index).objects
        footprints = [
            footprint_from_above(obstacle) for obstacle in objects if obstacle.asset.name != placed.asset.name
        ]
        return all(have_clearance(footprint_from_above(placed), other, gap_m=GAP_M) for other in footprints)


def other_kinds(pack: Pack) -> Swapped:
    """Return what puts assets of families that no target of the train split is of where the targets stand, upright."""
    source = PhysicsSource(pack)
    trained_labels = {
        _target(source, index).asset.label for index in pack.indices("train") if source.cousin(index).task.target
    }
    kinds = tuple(kind for kind in KINDS if kind not in trained_labels)

    def swap(index: int) -> PlacedAsset:
        old, rng = _target(source, index), np.random.default_rng(np.random.SeedSequence(SEED, spawn_key=(index,)))
        family = load_families()[kinds[index % len(kinds)]]
        drawn = (family.build(family.sample(rng), name=old.asset.name, rng=rng, texture_px=32) for _ in range(TRIES))
        asset = next(candidate for candidate in drawn if float(candidate.size_m[:2].max()) <= WIDEST_M)
        return in_place(asset, old, yaw_rad=rng.uniform(-np.pi, np.pi))

    return swap


def foreign_drawers(pack: Pack) -> Swapped:
    """Return what puts cabinets that others modelled, in turn, where the drawer units stand, front to front.

    They are joined to the desk, as LIBERO has them: without bottoms and backs they weigh a few hundred grams.
    """
    source, cabinets = PhysicsSource(pack), foreign_units(NAME)

    def swap(index: int) -> PlacedAsset:
        old = next(candidate for candidate in source.scene(index).objects if candidate.asset.name == NAME)
        yaw_rad = float(np.arctan2(old.world_from_asset[1, 0], old.world_from_asset[0, 0]))
        placed = in_place(cabinets[index // 5 % len(cabinets)], old, yaw_rad=yaw_rad)
        return replace(placed, fixed=True)

    return swap


def in_place(asset: Asset, old: PlacedAsset, *, yaw_rad: float) -> PlacedAsset:
    """Return an asset where another stands, on its own lowest point."""
    foot = old.world_from_asset[2, 3] + lowest_point_m(old.asset, old.world_from_asset[:3, :3])
    x, y = old.world_from_asset[:2, 3]
    turn = rotation_about(np.array([0.0, 0.0, 1.0]), yaw_rad)
    return replace(
        old, asset=asset, world_from_asset=rigid(turn, np.array([x, y, foot - lowest_point_m(asset) + 1e-5]))
    )


_measured = cache(measure_affordances)


def _target(source: PhysicsSource, index: int) -> PlacedAsset:
    name = source.cousin(index).task.target
    return next(placed for placed in source.scene(index).objects if placed.asset.name == name)


def _cousins(*words: str) -> None:
    subprocess.run([sys.executable, "-m", "flows.cli", *words], check=True, stdout=sys.stderr)
