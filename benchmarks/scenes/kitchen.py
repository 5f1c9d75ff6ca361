"""A kitchen table made by program, whose twin affords all nine tasks: dishes, a drawer unit and a microwave.

No scan shows joints, and few show all that the tasks want on one table. Everything here is an instance of our families;
what comes after it, `cousins vary`, is as users have it.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from cousins.families.family import load_family
from cousins.geometry import rigid, rotation_about
from cousins.scene.layout.relations import find_relations
from cousins.scene.scene_folder import write_scene
from cousins.scene.scenes import PlacedAsset, Scene
from cousins.vary.library.variants import lowest_point_m
from sim.physics.simple_assets import make_scene, slab

TABLE_M: Final = (2.2, 0.9, 0.05)
TOP_M: Final = 0.75
GAP_M: Final = 1e-4
OBJECTS: Final = (
    ("drawer_unit", (-0.8, 0.2), (0.24, 0.25, 0.22)),
    ("can", (-0.45, -0.2), (0.066, 0.066, 0.1)),
    ("mug", (-0.3, 0.15), (0.12, 0.085, 0.1)),
    ("cup", (-0.15, -0.2), (0.08, 0.08, 0.09)),
    ("bowl", (0.0, 0.1), (0.26, 0.26, 0.1)),
    ("box", (0.2, -0.2), (0.15, 0.11, 0.06)),
    ("ball", (0.3, 0.15), (0.06, 0.06, 0.06)),
    ("microwave", (0.75, 0.15), (0.44, 0.38, 0.26)),
)
"""Families with where each stands on the table, x and y [m], and about how large it is [m]."""
JOINED: Final = ("drawer_unit", "microwave")
"""Families that are joined to the table."""


def kitchen(seed: int) -> Scene:
    """Return the scene."""
    rng = np.random.default_rng(seed)
    placed = []
    for name, (x, y), size_m in OBJECTS:
        values = load_family(name).sample_with_size(np.array(size_m), rng)
        if values is None:
            raise ValueError(f"no {name} of {size_m} m")
        asset = load_family(name).build(values, name=name, rng=rng, texture_px=64)
        turn = 0.0 if name in JOINED else float(rng.uniform(-0.3, 0.3))
        spot = np.array([x, y, TOP_M + GAP_M - lowest_point_m(asset)])
        pose = rigid(rotation_about(np.array([0.0, 0.0, 1.0]), turn), spot)
        placed.append(PlacedAsset(asset=asset, world_from_asset=pose, fixed=name in JOINED))
    table = replace(slab("table", size_m=TABLE_M, top_m=TOP_M), kind="table")
    scene = make_scene(*placed, structures=(slab("floor", top_m=0.0), table), name="kitchen")
    return replace(scene, relations=find_relations(scene))


def write_kitchen(folder: Path, seed: int) -> None:
    """Write its scene folder."""
    write_scene(kitchen(seed), folder)
