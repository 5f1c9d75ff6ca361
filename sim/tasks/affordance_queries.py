"""Queries of tasks about a cousin's geometry: graspable objects, clearances, support relations and reach."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol, runtime_checkable

import numpy as np

from cousins.affordances import Grasp, Signature
from cousins.affordances.measure import measure_affordances
from cousins.scene.scenes import PlacedAsset, Scene, Structure
from cousins.vary.cousins import Cousin
from cousins.vary.placement.footprints import (
    Footprint,
    covers,
    footprint_of_asset,
    footprint_of_structure,
    have_clearance,
)
from sim.tasks.episode import EpisodeObject, StartRegion
from sim.tasks.task import Refused, TaskContext
from sim.worlds.worlds import CousinSource

MAX_APPROACH_Z: Final = -0.7
"""A hand that comes from above: the third component of its approach."""
REACH_M: Final = 0.75
"""How far from its base a robot works, as the recipes of `vary` have it [m]."""
BODY_CLEARANCE_M: Final = 0.003
"""Air that stays between bodies [m]."""


@runtime_checkable
class SignatureSource(Protocol):
    """A source with signatures, as a pack has; for other sources they are measured."""

    def signatures(self, index: int) -> Mapping[str, Signature]:
        """Return what each object of a cousin affords, by name."""
        ...


def task_context(source: CousinSource, scene: Scene, index: int) -> TaskContext:
    """Return the context in which tasks judge a cousin with its scene: signatures and footprints of its objects."""
    return TaskContext(
        cousin=source.cousin(index),
        scene=scene,
        signatures=signatures_of(source, scene, index),
        outlines={placed.asset.name: footprint_from_above(placed) for placed in scene.objects},
    )


def signatures_of(source: CousinSource, scene: Scene, index: int) -> Mapping[str, Signature]:
    """Return what each object of a cousin affords, by name: as the source has it, else measured."""
    if isinstance(source, SignatureSource):
        return source.signatures(index)
    return {placed.asset.name: measure_affordances(placed.asset) for placed in scene.objects}


def footprint_from_above(placed: PlacedAsset) -> Footprint:
    """Return an object from above, where it stands."""
    x, y, z = (float(value) for value in placed.world_from_asset[:3, 3])
    return footprint_of_asset(placed.asset, placed.world_from_asset[:3, :3]).transformed(x, y, 0.0, z)


def target_of(context: TaskContext) -> PlacedAsset | Refused:
    """Return the object of the cousin's own task: graspable, free and in reach, as was proven before."""
    name = context.cousin.task.target
    for placed in context.scene.objects:
        if placed.asset.name == name and not placed.fixed:
            return placed
    return Refused(reason="no object that may be handled, in reach, with a free grasp and a free goal beside it")


def part_of(placed: PlacedAsset, signature: Signature, grasp: Grasp | None = None) -> EpisodeObject:
    """Return an object as a part, held by a grasp."""
    nothing = (0.0, 0.0, 0.0)
    return EpisodeObject(
        name=placed.asset.name,
        size_m=signature.size_m,
        hold_m=nothing if grasp is None else grasp.center_m,
        axis=nothing if grasp is None else grasp.axis,
        width_m=0.0 if grasp is None else grasp.width_m,
    )


def grasps_from_above(context: TaskContext, placed: PlacedAsset) -> list[Grasp]:
    """Return the grasps of an object, as it stands, that a hand reaches from above, best first."""
    turn = placed.world_from_asset[:3, :3]
    grasps = context.signatures[placed.asset.name].grasps
    return [grasp for grasp in grasps if (turn @ np.array(grasp.approach))[2] < MAX_APPROACH_Z]


def outline(context: TaskContext, name: str, *, move_m: Any = (0.0, 0.0, 0.0)) -> Footprint:
    """Return an object from above, where it stands or moved from there [m]."""
    x, y, z = (float(value) for value in move_m)
    return context.outlines[name].transformed(x, y, 0.0, z)


def outlines(context: TaskContext, *, but: Sequence[str] = ()) -> list[Footprint]:
    """Return all objects from above, some left out."""
    return [shape for name, shape in context.outlines.items() if name not in but]


def ground_of(context: TaskContext, name: str) -> Structure | None:
    """Return the structure that an object stands on; None where it stands on another object or on nothing."""
    below = {
        relation.object for relation in context.cousin.relations if (relation.subject, relation.kind) == (name, "on")
    }
    return next((structure for structure in context.scene.structures if structure.name in below), None)


def has_room(shape: Footprint, obstacles: Sequence[Footprint], ground: Structure | None) -> bool:
    """Return whether an object is clear of obstacles, and within its ground where there is one."""
    if ground is not None and not covers(footprint_of_structure(ground), shape):
        return False
    return all(have_clearance(shape, other, gap_m=BODY_CLEARANCE_M) for other in obstacles)


def in_reach(context: TaskContext, point: Any) -> bool:
    """Return whether a robot, standing where the cousin has it, reaches over a point [2] or [3] [m]."""
    base = np.array(context.cousin.task.robot_base_m[:2])
    return float(np.linalg.norm(np.asarray(point)[:2] - base)) <= REACH_M


def base_of(cousin: Cousin) -> dict[str, Any]:
    """Return where the cousin has the robot, as fields of an episode."""
    return {"base_m": cousin.task.robot_base_m, "base_yaw_rad": cousin.task.robot_yaw_rad}


def starts_of(
    context: TaskContext, names: Sequence[str], *, shift_m: float, turn_rad: float
) -> tuple[StartRegion, ...]:
    """Return where objects may start around their places; none where nothing is to be drawn."""
    if shift_m == 0.0 and turn_rad == 0.0:
        return ()
    return tuple(
        StartRegion(
            name=placed.asset.name,
            home=placed.world_from_asset,
            shape=outline(context, placed.asset.name, move_m=-placed.world_from_asset[:3, 3]),
            obstacles=outlines(context, but=[placed.asset.name]),
            shift_m=shift_m,
            turn_rad=turn_rad,
        )
        for placed in context.scene.objects
        if placed.asset.name in names
    )
