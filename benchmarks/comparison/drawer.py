"""The drawer of `twin_vs_cousins.py`: a small drawer unit that is put onto a scanned desk by program.

A phone scan shows no joints, so no scanned desk affords a drawer. Here a unit of the family `drawer_unit`, of the size
of a desk organiser, is put onto a free place of the desk, its front to a free side. The desk, what stands on it and
where are the scan's; the unit is not. Everything after that is `cousins vary` as users have it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from cousins.affordances import Signature
from cousins.affordances.measure import measure_affordances
from cousins.families.family import load_family
from cousins.geometry import rotation_about
from cousins.reconstruct.assets import Asset
from cousins.scene.layout.relations import NEXT_TO_DISTANCE_M, find_relations
from cousins.scene.looks import Look
from cousins.scene.scene_folder import read_scene, write_scene
from cousins.scene.scenes import PlacedAsset, Scene, Structure
from cousins.vary.cousins import Cousin
from cousins.vary.placement.footprints import covers, distance_m, footprint_of_structure
from cousins.vary.placement.goals import NO_GOAL
from sim.bodies.named import capabilities_by_name
from sim.physics.simple_assets import place
from sim.tasks import build_task
from sim.tasks.affordance_queries import footprint_from_above
from sim.tasks.episode import Episode
from sim.tasks.task import TaskContext

NAME: Final = "drawers"
"""Name of the unit in the scene."""
UNIT: Final = {
    "length_m": 0.24,
    "width_m": 0.25,
    "height_m": 0.22,
    "wall_m": 0.012,
    "drawers": 2.0,
    "travel": 0.78,
}
"""Dimensions of the unit: two drawers that open by 13 cm."""
STEP_M: Final = 0.05
"""Spacing of the grid of positions that are tried [m]."""
ALONE_M: Final = NEXT_TO_DISTANCE_M + 0.01
"""Least distance to other objects [m]; nearer ones would be related to the unit and move with it in cousins."""
GAP_M: Final = 1e-5
"""Gap under the unit [m]."""
TASKS: Final = (("close_drawer", "pusher"), ("open_drawer", "gripper"))
"""Tasks that the unit must afford in its place, each with the robot body that does it."""
SEED: Final = 5
"""Seed of its colours."""


def put_drawers(scanned: Path, output: Path) -> None:
    """Write the scene folder of a scanned scene with a drawer unit on its desk."""
    write_scene(with_drawers(read_scene(scanned)), output)


def with_drawers(scene: Scene) -> Scene:
    """Return a scene with the unit on the free place nearest to a desk's middle where a robot reaches its drawers.

    Raises `ValueError` where there is no such place.
    """
    unit = load_family("drawer_unit").build(UNIT, name=NAME, rng=np.random.default_rng(SEED))
    signature, other_footprints = (
        measure_affordances(unit),
        [footprint_from_above(existing) for existing in scene.objects],
    )
    for desk in (structure for structure in scene.structures if structure.kind == "table"):
        for placed in _places(unit, desk):
            apart_m = min((distance_m(footprint_from_above(placed), other) for other in other_footprints), default=1.0)
            tried = replace(scene, objects=(*scene.objects, placed))
            if (
                apart_m > ALONE_M
                and covers(footprint_of_structure(desk), footprint_from_above(placed))
                and _affords(tried, signature)
            ):
                fallback = (
                    f"{NAME} was not scanned: a unit of the family drawer_unit was put onto {desk.name} by program"
                )
                result = replace(tried, name=f"{scene.name}_drawers", fallbacks=(*scene.fallbacks, fallback))
                return replace(result, relations=find_relations(result))
    raise ValueError(f"no free place for a drawer unit on any table of {scene.name}")


def _places(unit: Asset, desk: Structure) -> Iterator[PlacedAsset]:
    """Yield the unit at every grid position of a desk, nearest to its middle first, in four orientations."""
    low, high = desk.visual.vertices.min(axis=0), desk.visual.vertices.max(axis=0)
    z = float(high[2]) + 0.5 * float(unit.size_m[2]) + GAP_M
    grid = itertools.product(np.arange(low[0], high[0], STEP_M), np.arange(low[1], high[1], STEP_M))
    middle = 0.5 * (low + high)[:2]
    for x, y in sorted(grid, key=lambda spot: (round(float(np.linalg.norm(spot - middle)), 6), *spot)):
        for quarter in range(4):
            turn = rotation_about(np.array([0.0, 0.0, 1.0]), quarter * np.pi / 2.0)
            yield place(unit, float(x), float(y), z, rotation=turn)


def _affords(scene: Scene, signature: Signature) -> bool:
    """Return whether robots can be placed to operate the drawers of the scene's last object."""
    cousin = Cousin(
        index=0, split="twin", objects=(), structures=(), relations=(), look=Look(), task=NO_GOAL, distances={}
    )
    last = scene.objects[-1]
    context = TaskContext(
        cousin=cousin,
        scene=replace(scene, objects=(last,)),
        signatures={NAME: signature},
        outlines={placed.asset.name: footprint_from_above(placed) for placed in scene.objects},
    )
    return all(
        isinstance(build_task(task).afford(context, capabilities_by_name(body)), Episode) for task, body in TASKS
    )
