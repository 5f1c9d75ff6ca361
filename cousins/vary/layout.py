"""Where things stand: poses drawn anew under the twin's relations, tested on outlines of convex pieces.

What stands on structure is placed from above; what stands on or in another object goes along with it. Objects that
stand next to or against each other make a group. A group is first drawn member by member around each other, and if
that finds no place under all its relations, moved as a whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from cousins.geometry import Array, rigid, rotation_about
from cousins.scene.bodies import Body, body_of_asset
from cousins.scene.relations import NEXT_TO_M
from cousins.scene.scenes import Placed, Relation, Scene, Structure
from cousins.vary.cousins import Library, Variant
from cousins.vary.footprints import (
    Footprint,
    covers,
    distance_m,
    footprint_of_asset,
    footprint_of_structure,
    free,
)
from cousins.vary.poses import tilt_of, yaw_of
from cousins.vary.recipes import Layout

GAP_M: Final = 0.003
"""Gap that is kept between bodies [m]: a tenth of a finger's breadth, and room for what settling moves."""
TRIES: Final = 40
"""Most tries to place a group."""
REST_GAP_M: Final = 1e-5
"""Gap under what is put down [m]: that of the layout repair of a scan."""
NEXT_SLACK_M: Final = 0.002
"""What stands next to another is kept this much inside the reach of that relation [m]."""


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

    def pose(self, spot: Spot) -> Array:
        """Return `world_from_asset` [4, 4]."""
        turn = rotation_about(np.array([0.0, 0.0, 1.0]), spot.yaw_rad)
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
    ties: tuple[Relation, ...]
    """The relations `next to` and `against` between objects of one group."""
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
    return Plan(
        objects=objects,
        spots=spots,
        resting=resting,
        bodies={key: body_of_asset(variant.asset) for key, variant in library.variants.items()},
        carriers=carriers,
        groups=_groups(based, ties),
        ties=ties,
        walls=_walls(scene, based),
        grounds={structure.name: footprint_of_structure(structure) for structure in scene.structures},
        obstacles=tuple(resting[name].at(spots[name]) for name, placed in objects.items() if placed.fixed),
    )


def draw_layout(
    plan: Plan, variants: Mapping[str, str], ranges: Layout, amount: float, rng: np.random.Generator
) -> dict[str, Spot] | None:
    """Return where each object stands; None where no place was found.

    `variants` are keys by object for what shall stand there, `amount` is from 0 (as the twin) to 1.
    """
    placed: dict[str, Spot] = {}
    taken: dict[str, Footprint] = {}
    for group in plan.groups:
        members = [name for name in group if name in variants]
        found = _place_group(plan, members, variants, ranges, amount, rng, taken) if members else {}
        if found is None:
            return None
        for name, spot in found.items():
            placed[name] = spot
            taken[name] = plan.resting[variants[name]].at(spot)
    return placed


def place_on(
    plan: Plan, key: str, ground: str, taken: Mapping[str, Footprint], rng: np.random.Generator
) -> Spot | None:
    """Return a free place of a variant on a structure, near what stands there; None where there is none."""
    if not taken:
        return None
    centers = np.array([one.points.mean(axis=0) for one in taken.values()])
    for _ in range(TRIES):
        near = centers[rng.integers(len(centers))]
        x, y = near + rng.uniform(-0.3, 0.3, 2)
        spot = _down(plan, key, float(x), float(y), float(rng.uniform(-np.pi, np.pi)), ground)
        if _fits(plan, plan.resting[key].at(spot), ground, list(taken.values())):
            return spot
    return None


def _place_group(
    plan: Plan,
    members: list[str],
    variants: Mapping[str, str],
    ranges: Layout,
    amount: float,
    rng: np.random.Generator,
    taken: Mapping[str, Footprint],
) -> dict[str, Spot] | None:
    others = list(taken.values())
    for attempt in range(TRIES):
        whole = len(members) == 1 or attempt >= TRIES // 2
        spots = _moved(plan, members, variants, ranges, amount, rng, whole=whole)
        shown: dict[str, Footprint] = {}
        for name, spot in spots.items():
            footprint = plan.resting[variants[name]].at(spot)
            if not _fits(plan, footprint, plan.carriers[name][1], [*others, *shown.values()]):
                break
            shown[name] = footprint
        else:
            if all(_tied(tie, shown) for tie in plan.ties if tie.subject in shown and tie.object in shown):
                return spots
    return None


def _moved(
    plan: Plan,
    members: list[str],
    variants: Mapping[str, str],
    ranges: Layout,
    amount: float,
    rng: np.random.Generator,
    *,
    whole: bool,
) -> dict[str, Spot]:
    """Return the members of a group after a common motion and their own ones."""
    center = np.mean([[plan.spots[name].x_m, plan.spots[name].y_m] for name in members], axis=0)
    along = next((plan.walls[name] for name in members if name in plan.walls), None)
    way = amount * ranges.shift_m.at(rng.uniform())
    heading = rng.uniform(-np.pi, np.pi)
    shift = way * np.array([np.cos(heading), np.sin(heading)])
    yaw = amount * ranges.yaw_rad.at(rng.uniform())
    if along is not None:
        shift, yaw = (shift @ along) * along, 0.0
    c, s = np.cos(yaw), np.sin(yaw)
    against = {name for tie in plan.ties if tie.kind == "against" for name in (tie.subject, tie.object)}
    found = {}
    for name in members:
        spot = plan.spots[name]
        own = np.zeros(2)
        turn = 0.0
        if len(members) > 1 and name not in against and name not in plan.walls:
            reach = 1.0 if whole else 3.0
            own = reach * amount * np.array([ranges.jitter_m.at(rng.uniform()) for _ in range(2)])
            turn = amount * ranges.yaw_rad.at(rng.uniform())
        out = np.array([spot.x_m, spot.y_m]) - center
        x, y = center + shift + own + np.array([c * out[0] - s * out[1], s * out[0] + c * out[1]])
        found[name] = _down(plan, variants[name], x, y, spot.yaw_rad + yaw + turn, plan.carriers[name][1], twin=name)
    return found


def _down(plan: Plan, key: str, x: float, y: float, yaw: float, ground: str, *, twin: str = "") -> Spot:
    """Return the spot of a variant put down on a structure; the twin's own object keeps the twin's height."""
    if key == twin:
        return Spot(x_m=x, y_m=y, z_m=plan.spots[twin].z_m, yaw_rad=yaw)
    top = plan.grounds[ground].top_m
    return Spot(x_m=x, y_m=y, z_m=top - plan.resting[key].footprint.bottom_m + REST_GAP_M, yaw_rad=yaw)


def _fits(plan: Plan, footprint: Footprint, ground: str, others: list[Footprint]) -> bool:
    if not covers(plan.grounds[ground], footprint):
        return False
    for name, other in plan.grounds.items():
        if name != ground and not free(footprint, other, gap_m=0.0):
            return False
    return all(free(footprint, other, gap_m=GAP_M) for other in (*others, *plan.obstacles))


def _tied(tie: Relation, shown: Mapping[str, Footprint]) -> bool:
    apart = distance_m(shown[tie.subject], shown[tie.object])
    return apart <= NEXT_TO_M - NEXT_SLACK_M


def _spot(world_from_asset: Array) -> tuple[Spot, Array]:
    x, y, z = (float(value) for value in world_from_asset[:3, 3])
    yaw = yaw_of(world_from_asset)
    return Spot(x_m=x, y_m=y, z_m=z, yaw_rad=yaw), tilt_of(world_from_asset)


def _resting(variant: Variant, tilts: Mapping[str, Array]) -> Resting:
    """Return how a variant lies: shapes of a twin's object as that does, everything else upright."""
    own = variant.kind in ("twin", "shape")
    tilt = tilts[variant.of] if own else np.eye(3)
    return Resting(tilt=tilt, footprint=footprint_of_asset(variant.asset, tilt))


def _carriers(scene: Scene) -> dict[str, tuple[str, str]]:
    found: dict[str, tuple[str, str]] = {}
    for relation in scene.relations:
        if relation.kind == "inside" or (relation.kind == "on" and relation.subject not in found):
            found[relation.subject] = relation.kind, relation.object
    return found


def _structure_under(name: str, carriers: Mapping[str, tuple[str, str]], scene: Scene) -> Structure | None:
    below = carriers[name][1] if name in carriers else ""
    return next((one for one in scene.structures if one.name == below), None)


def _groups(names: list[str], ties: tuple[Relation, ...]) -> tuple[tuple[str, ...], ...]:
    group = {name: index for index, name in enumerate(names)}
    for tie in ties:
        first, second = group[tie.subject], group[tie.object]
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
