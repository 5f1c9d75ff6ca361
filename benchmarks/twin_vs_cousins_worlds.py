"""The worlds of `twin_vs_cousins.py`: cousins of a scan, some with assets of other kinds in the target's place."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np

from cousins.affordances import Signature
from cousins.affordances.measure import signature_of
from cousins.geometry import rigid
from cousins.pack.packs import Pack
from cousins.scene.scenes import Placed, Scene
from cousins.vary.cousins import Cousin
from cousins.vary.footprints import footprint_of_asset, free
from cousins.vary.offers import families
from cousins.vary.variants import lowest_point_m
from sim.tasks.staging import Bare

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


def prepare(out: Path, *, scene: Path | None, count: int) -> None:
    """Scan a scene, where none is given, and make its pack, where that was not done before."""
    if (out / "pack" / "pack.json").is_file():
        return
    scanned = scene or out / "scene"
    if not (scanned / "scene.json").is_file():
        _cousins("demo", "--force", "-o", str(scanned))
    _cousins("vary", str(scanned), "-n", str(count), "--seed", str(SEED), "-o", str(out / "pack"))


class Dissimilar:
    """A pack whose targets are replaced by assets of kinds that no target of the train split is of.

    They stand where the targets stood, upright, on their own lowest points; nothing else changes.
    """

    def __init__(self, pack: Pack) -> None:
        self._source = Bare(pack)
        self.digest = f"{pack.digest}:dissimilar"
        known = {self._label(index) for index in pack.indices("train")}
        self.kinds = tuple(kind for kind in KINDS if kind not in known)
        held_out = pack.indices("heldout_near") + pack.indices("heldout_far")
        self.indices = [index for index in held_out if self._fits(index)]
        self.scene = cache(self._scene)

    def cousin(self, index: int) -> Cousin:
        """Return a cousin as parameters; its task is as before."""
        return self._source.cousin(index)

    def signatures(self, index: int) -> Mapping[str, Signature]:
        """Return what each object affords."""
        placed = self._swapped(index)
        return {**self._source.signatures(index), placed.asset.name: signature_of(placed.asset)}

    def _scene(self, index: int) -> Scene:
        scene, placed = self._source.scene(index), self._swapped(index)
        name = placed.asset.name
        return replace(scene, objects=tuple(placed if one.asset.name == name else one for one in scene.objects))

    def _swapped(self, index: int) -> Placed:
        """Return the asset that stands in the target's place."""
        old, rng = self._target(index), np.random.default_rng(np.random.SeedSequence(SEED, spawn_key=(index,)))
        family = families()[self.kinds[index % len(self.kinds)]]
        drawn = (family.build(family.draw(rng), name=old.asset.name, rng=rng, texture_px=32) for _ in range(TRIES))
        asset = next(one for one in drawn if float(one.size_m[:2].max()) <= WIDEST_M)
        foot = old.world_from_asset[2, 3] + lowest_point_m(old.asset)
        x, y = old.world_from_asset[:2, 3]
        yaw = rng.uniform(-np.pi, np.pi)
        turn = np.array([[np.cos(yaw), -np.sin(yaw), 0.0], [np.sin(yaw), np.cos(yaw), 0.0], [0.0, 0.0, 1.0]])
        return replace(
            old, asset=asset, world_from_asset=rigid(turn, np.array([x, y, foot - lowest_point_m(asset) + 1e-5]))
        )

    def _fits(self, index: int) -> bool:
        """Tell whether the asset finds room among the other objects."""
        placed = self._swapped(index)
        shapes = [
            footprint_of_asset(one.asset, one.world_from_asset[:3, :3]).placed(
                float(one.world_from_asset[0, 3]),
                float(one.world_from_asset[1, 3]),
                0.0,
                float(one.world_from_asset[2, 3]),
            )
            for one in (
                placed,
                *(one for one in self._source.scene(index).objects if one.asset.name != placed.asset.name),
            )
        ]
        return all(free(shapes[0], other, gap_m=GAP_M) for other in shapes[1:])

    def _target(self, index: int) -> Placed:
        name = self._source.cousin(index).task.target
        return next(one for one in self._source.scene(index).objects if one.asset.name == name)

    def _label(self, index: int) -> str:
        return self._target(index).asset.label if self._source.cousin(index).task.target else ""


def _cousins(*words: str) -> None:
    subprocess.run([sys.executable, "-m", "flows.cli", *words], check=True, stdout=sys.stderr)
