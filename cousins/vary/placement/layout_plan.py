"""What layouts of a twin's cousins have to keep: who carries whom, who stands by whom, and all bodies from above."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.spatial import ConvexHull

from cousins.geometry import Array, rigid
from cousins.scene.layout.collision_bodies import Body, body_of_asset
from cousins.scene.layout.relations import NEXT_TO_M, TOUCH_M
from cousins.scene.scenes import Placed, Relation, Scene, Structure
from cousins.vary.cousins import Library, Variant
from cousins.vary.placement.footprints import Footprint, distance_m, footprint_of_asset, footprint_of_structure, free
from cousins.vary.poses import tilt_of, yaw_of

GAP_M: Final = 0.003
"""Gap that is kept between bodies [m]: a tenth of a finger's breadth, and room for what settling moves."""
SLACK_M: Final = 0.002
"""What stands next to or against another is kept this much inside the reach of that relation [m]."""

FOOT_M: Final = 5e-4
"""Height above the lowest point that still belongs to the foot [m]."""


@dataclass(frozen=True, kw_only=True)
class Spot:
    """Where an object stands: its origin and how far it is turned about z."""

    x_m: float
    """Place in the world [m]."""
    y_m: float
    """Place in the world [m]."""
    z_m: float
    """Place in the world [m]."""
    yaw_rad: float
    """Turn about z against how it lies in `Resting` [rad]."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Resting:
    """How a variant lies: its rotation without the turn about z, and itself from above in that rotation."""

    tilt: Array
    """Rotation [3, 3]."""
    footprint: Footprint
    """From above, about its origin."""
    margin_m: float
    """How far inside its foot the centre of mass stands [m]: a shift beyond that tips it, or makes it roll."""

    def pose(self, spot: Spot) -> Array:
        """Return `world_from_asset` [4, 4]."""
        c, s = math.cos(spot.yaw_rad), math.sin(spot.yaw_rad)
        turn = np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
        return rigid(turn @ self.tilt, np.array([spot.x_m, spot.y_m, spot.z_m]))

    def at(self, spot: Spot) -> Footprint:
        """Return it from above, in the world."""
        return self.footprint.placed(spot.x_m, spot.y_m, spot.yaw_rad, spot.z_m)

    def seen(self, world_from_asset: Array) -> Footprint:
        """Return it from above at a pose that differs by a turn about z and a shift."""
        x, y, z = (float(value) for value in world_from_asset[:3, 3])
        return self.footprint.placed(x, y, yaw_of(world_from_asset[:3, :3] @ self.tilt.T), z)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Plan:
    """What of the twin a layout has to keep; made once, used for every cousin."""

    objects: Mapping[str, Placed]
    """The twin's objects, each carrier before what it carries."""
    spots: Mapping[str, Spot]
    """Where they stand in the twin."""
    resting: Mapping[str, Resting]
    """How each variant lies, by key."""
    bodies: Mapping[str, Body]
    """Each variant's pieces in its own frame, by key."""
    carriers: Mapping[str, tuple[str, str]]
    """By object what carries it, `on` or `inside`, and its name; missing for what nothing is known about."""
    groups: tuple[tuple[str, ...], ...]
    """Objects on structure that are tied together, in the order of placing; single ones alone."""
    ties: tuple[tuple[Relation, float], ...]
    """The relations `next to` and `against` between objects of one group, and how far apart these may be [m]."""
    close: Mapping[str, frozenset[str]]
    """By object those of its group that stand too close to it in the twin to be moved one by one."""
    walls: Mapping[str, Array]
    """By object that stands against structure the one direction [2] in which its group may go."""
    grounds: Mapping[str, Footprint]
    """Structures from above, by name."""
    obstacles: tuple[Footprint, ...]
    """What is fixed, beside structure."""


def make_plan(library: Library) -> Plan:
    """Return what layouts of a library's twin have to keep."""
    scene = library.scene
    objects = {placed.asset.name: placed for placed in scene.objects}
    spots, tilts = {}, {}
    for name, placed in objects.items():
        spots[name], tilts[name] = _spot(placed.world_from_asset)
    resting = {key: _resting(variant, tilts) for key, variant in library.variants.items()}
    carriers = _carriers(scene)
    based = [name for name, placed in objects.items() if not placed.fixed and _structure_under(name, carriers, scene)]
    ties = tuple(
        relation
        for relation in scene.relations
        if relation.kind in ("next to", "against") and relation.subject in based and relation.object in based
    )
    home = {name: resting[name].at(spots[name]) for name in objects}
    close = _close(based, home, ties)
    return Plan(
        objects=objects,
        spots=spots,
        resting=resting,
        bodies={key: body_of_asset(variant.asset) for key, variant in library.variants.items()},
        carriers=carriers,
        groups=_groups(based, ties, close),
        ties=tuple((tie, _reach_m(tie, home)) for tie in ties),
        close=close,
        walls=_walls(scene, based),
        grounds={structure.name: footprint_of_structure(structure) for structure in scene.structures},
        obstacles=tuple(home[name] for name, placed in objects.items() if placed.fixed),
    )


def _reach_m(tie: Relation, home: Mapping[str, Footprint]) -> float:
    """Return how far apart two objects may be for a relation [m]: as far as in the twin, or a slack within reach."""
    reach_m = (TOUCH_M if tie.kind == "against" else NEXT_TO_M) - SLACK_M
    return max(reach_m, distance_m(home[tie.subject], home[tie.object]) + 1e-9)


def _close(names: list[str], home: Mapping[str, Footprint], ties: tuple[Relation, ...]) -> dict[str, frozenset[str]]:
    pairs = {frozenset((tie.subject, tie.object)) for tie in ties if tie.kind == "against"}
    for index, name in enumerate(names):
        for other in names[:index]:
            if not free(home[name], home[other], gap_m=GAP_M):
                pairs.add(frozenset((name, other)))
    return {name: frozenset().union(*(pair for pair in pairs if name in pair)) - {name} for name in names}


def _spot(world_from_asset: Array) -> tuple[Spot, Array]:
    x, y, z = (float(value) for value in world_from_asset[:3, 3])
    yaw = yaw_of(world_from_asset)
    return Spot(x_m=x, y_m=y, z_m=z, yaw_rad=yaw), tilt_of(world_from_asset)


def _resting(variant: Variant, tilts: Mapping[str, Array]) -> Resting:
    """Return how a variant lies: shapes of a twin's object as that does, everything else upright."""
    own = variant.kind in ("twin", "shape")
    tilt = tilts[variant.of] if own else np.eye(3)
    body = body_of_asset(variant.asset).moved(rigid(tilt))
    return Resting(tilt=tilt, footprint=footprint_of_asset(variant.asset, tilt), margin_m=_margin_m(body))


def _margin_m(body: Body) -> float:
    """Return how far the centre of mass is from the edge of the hull of a body's lowest points, from above [m]."""
    points = np.concatenate([hull.points for hull in body.hulls])
    foot = points[points[:, 2] <= points[:, 2].min() + FOOT_M][:, :2]
    if len(foot) < 3 or np.linalg.matrix_rank(foot - foot.mean(axis=0), tol=1e-6) < 2:
        return 0.0
    edges = ConvexHull(foot).equations
    return max(0.0, -float((edges[:, :2] @ body.center_of_mass_m[:2] + edges[:, 2]).max()))


def _carriers(scene: Scene) -> dict[str, tuple[str, str]]:
    found: dict[str, tuple[str, str]] = {}
    for relation in scene.relations:
        if relation.kind == "inside" or (relation.kind == "on" and relation.subject not in found):
            found[relation.subject] = relation.kind, relation.object
    return found


def _structure_under(name: str, carriers: Mapping[str, tuple[str, str]], scene: Scene) -> Structure | None:
    below = carriers[name][1] if name in carriers else ""
    return next((one for one in scene.structures if one.name == below), None)


def _groups(
    names: list[str], ties: tuple[Relation, ...], close: Mapping[str, frozenset[str]]
) -> tuple[tuple[str, ...], ...]:
    pairs = [(tie.subject, tie.object) for tie in ties]
    pairs += [(name, other) for name in names for other in names if other in close[name]]
    group = {name: index for index, name in enumerate(names)}
    for one, other in pairs:
        first, second = group[one], group[other]
        group = {name: min(first, second) if index in (first, second) else index for name, index in group.items()}
    return tuple(tuple(name for name in names if group[name] == index) for index in sorted(set(group.values())))


def _walls(scene: Scene, names: list[str]) -> dict[str, Array]:
    """Return by object that stands against structure the level direction along it."""
    structures = {structure.name: structure for structure in scene.structures}
    found = {}
    for relation in scene.relations:
        if relation.kind == "against" and relation.subject in names and relation.object in structures:
            points = structures[relation.object].visual.vertices[:, :2]
            _, _, axes = np.linalg.svd(points - points.mean(axis=0), full_matrices=False)
            found[relation.subject] = axes[0]
    return found
