"""Heaps that stand by themselves: items are dropped in physics, and their poses at rest are the truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import trimesh

from cousins.geometry import Array
from cousins.meshes import Mesh
from cousins.plugins import load_backend
from cousins.reconstruct.assets import Piece
from cousins.scene.scenes import PlacedAsset, Structure
from places.items import Item
from sim.physics.simple_assets import exact_quantity, hull_piece, make_scene

DURATION_S: Final = 4.0
"""Simulated time after the last drop [s]."""
PAUSE_S: Final = 0.6
"""Simulated time between two drops [s]."""


def dropped(
    drops: Sequence[tuple[Item, Array]],
    structures: Sequence[tuple[str, Mesh]],
    *,
    furniture: Sequence[tuple[Item, Array]] = (),
    lowest_m: float = -0.01,
) -> dict[str, Array]:
    """Return the poses at rest `world_from_item` [4, 4] by name of items that are dropped one after the other.

    `drops` holds each item with its pose at the moment of its drop; `furniture` never moves. Items that end below
    `lowest_m` [m] are left out.
    """
    module = load_backend("sim.physics.backends", "mujoco", kind="engine")
    solids = [_solid(name, mesh) for name, mesh in structures]
    fixed = [PlacedAsset(asset=item.asset, world_from_asset=pose, fixed=True) for item, pose in furniture]
    placed: list[PlacedAsset] = []
    for number, (item, pose) in enumerate(drops):
        with module.build(module.Config()) as engine:
            current = [*placed, PlacedAsset(asset=item.asset, world_from_asset=pose)]
            engine.load(make_scene(*fixed, *current, structures=solids))
            seconds = DURATION_S if number == len(drops) - 1 else PAUSE_S
            engine.step(round(seconds / engine.timestep_s))
            poses = engine.poses()
        placed = [replace(body, world_from_asset=poses[body.asset.name]) for body in current]
    items = {item.name: item for item, _ in drops}
    at_rest = {body.asset.name: np.asarray(body.world_from_asset) for body in placed}
    return {name: pose for name, pose in at_rest.items() if _lowest(items[name], pose) >= lowest_m}


def _lowest(item: Item, pose: Array) -> float:
    return float((item.mesh.vertices @ pose[2, :3]).min() + pose[2, 3])


def _solid(name: str, mesh: Mesh) -> Structure:
    """Return a structure that collides with the convex hull of each connected part of a mesh."""
    shell = trimesh.Trimesh(mesh.vertices, mesh.faces, process=True)
    shell.merge_vertices(merge_tex=True, merge_norm=True)
    pieces: list[Piece] = [hull_piece(np.asarray(part.vertices)) for part in shell.split(only_watertight=False)]
    return Structure(
        name=name,
        kind="floor",
        visual=mesh,
        pieces=tuple(pieces),
        friction=exact_quantity(0.6),
        restitution=exact_quantity(0.0),
    )
