"""What tasks ask of a cousin: what may be handled, where it is free, and what stands on what; all on geometry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol, runtime_checkable

import numpy as np

from cousins.affordances import Grasp, Signature
from cousins.affordances.measure import signature_of
from cousins.scene.scenes import Placed, Scene, Structure
from cousins.vary.cousins import Cousin
from cousins.vary.placement.footprints import Footprint, covers, footprint_of_asset, footprint_of_structure, free
from sim.tasks.episode import Part, Start
from sim.tasks.task import Known, Refused
from sim.worlds.worlds import Source

STEEP: Final = -0.7
"""A hand that comes from above: the third component of its approach."""
REACH_M: Final = 0.75
"""How far from its base a robot works, as the recipes of `vary` have it [m]."""
GAP_M: Final = 0.003
"""Air that stays between bodies [m]."""


@runtime_checkable
class Signed(Protocol):
    """A source that knows signatures, as a pack does; where a source does not, they are measured."""

    def signatures(self, index: int) -> Mapping[str, Signature]:
        """Return what each object of a cousin affords, by name."""
        ...


def known_of(source: Source, scene: Scene, index: int) -> Known:
    """Return a cousin, whose scene is at hand, as tasks look at it."""
    return Known(
        cousin=source.cousin(index),
        scene=scene,
        signatures=signatures_of(source, scene, index),
        outlines={placed.asset.name: seen_from_above(placed) for placed in scene.objects},
    )


def signatures_of(source: Source, scene: Scene, index: int) -> Mapping[str, Signature]:
    """Return what each object of a cousin affords, by name: as the source has it, else measured."""
    if isinstance(source, Signed):
        return source.signatures(index)
    return {placed.asset.name: signature_of(placed.asset) for placed in scene.objects}


def seen_from_above(placed: Placed) -> Footprint:
    """Return an object from above, where it stands."""
    x, y, z = (float(value) for value in placed.world_from_asset[:3, 3])
    return footprint_of_asset(placed.asset, placed.world_from_asset[:3, :3]).placed(x, y, 0.0, z)


def target_of(known: Known) -> Placed | Refused:
    """Return the object of the cousin's own task: graspable, free and in reach, as was proven before."""
    name = known.cousin.task.target
    for placed in known.scene.objects:
        if placed.asset.name == name and not placed.fixed:
            return placed
    return Refused(reason="no object that may be handled, in reach, with a free grasp and a free goal beside it")


def part_of(placed: Placed, signature: Signature, grasp: Grasp | None = None) -> Part:
    """Return an object as a part, held by a grasp."""
    nothing = (0.0, 0.0, 0.0)
    return Part(
        name=placed.asset.name,
        size_m=signature.size_m,
        hold_m=nothing if grasp is None else grasp.center_m,
        axis=nothing if grasp is None else grasp.axis,
        width_m=0.0 if grasp is None else grasp.width_m,
    )


def grasps_from_above(known: Known, placed: Placed) -> list[Grasp]:
    """Return the grasps of an object, as it stands, that a hand reaches from above, best first."""
    turn = placed.world_from_asset[:3, :3]
    grasps = known.signatures[placed.asset.name].grasps
    return [grasp for grasp in grasps if (turn @ np.array(grasp.approach))[2] < STEEP]


def outline(known: Known, name: str, *, move_m: Any = (0.0, 0.0, 0.0)) -> Footprint:
    """Return an object from above, where it stands or moved from there [m]."""
    x, y, z = (float(value) for value in move_m)
    return known.outlines[name].placed(x, y, 0.0, z)


def outlines(known: Known, *, but: Sequence[str] = ()) -> list[Footprint]:
    """Return all objects from above, some left out."""
    return [shape for name, shape in known.outlines.items() if name not in but]


def ground_of(known: Known, name: str) -> Structure | None:
    """Return the structure that an object stands on; None where it stands on another object or on nothing."""
    below = {
        relation.object for relation in known.cousin.relations if (relation.subject, relation.kind) == (name, "on")
    }
    return next((structure for structure in known.scene.structures if structure.name in below), None)


def is_free(shape: Footprint, others: Sequence[Footprint], ground: Structure | None) -> bool:
    """Tell whether an object finds room among others, and on its ground where one is told."""
    if ground is not None and not covers(footprint_of_structure(ground), shape):
        return False
    return all(free(shape, other, gap_m=GAP_M) for other in others)


def in_reach(known: Known, point: Any) -> bool:
    """Tell whether the robot, standing where the cousin has it, reaches over a point."""
    base = np.array(known.cousin.task.robot_base_m[:2])
    return float(np.linalg.norm(np.asarray(point)[:2] - base)) <= REACH_M


def base_of(cousin: Cousin) -> dict[str, Any]:
    """Return where the cousin has the robot, as fields of an episode."""
    return {"base_m": cousin.task.robot_base_m, "base_yaw_rad": cousin.task.robot_yaw_rad}


def starts_of(known: Known, names: Sequence[str], *, shift_m: float, turn_rad: float) -> tuple[Start, ...]:
    """Return where objects may start around their places; none where nothing is to be drawn."""
    if shift_m == 0.0 and turn_rad == 0.0:
        return ()
    return tuple(
        Start(
            name=placed.asset.name,
            home=placed.world_from_asset,
            shape=outline(known, placed.asset.name, move_m=-placed.world_from_asset[:3, 3]),
            others=outlines(known, but=[placed.asset.name]),
            shift_m=shift_m,
            turn_rad=turn_rad,
        )
        for placed in known.scene.objects
        if placed.asset.name in names
    )
