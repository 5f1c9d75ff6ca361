"""Spatial relations between bodies, from their convex pieces rather than origins or boxes."""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy.spatial import ConvexHull

from cousins.geometry import Array
from cousins.scene.layout.collision_bodies import CollisionBody, clearance_below, scene_bodies
from cousins.scene.layout.minkowski import boxes_are_apart, minkowski_difference
from cousins.scene.scenes import Relation, Scene, hanging_supports

CONTACT_TOLERANCE_M: Final = 0.005
"""Bodies this near touch [m]: what remains of a phone's depth noise after fusion, ±4 mm of range bias and a bit."""
NEXT_TO_DISTANCE_M: Final = 0.10
"""Bodies on one support that are this near stand next to each other [m]: a hand's breadth."""
MIN_INSIDE_FRACTION: Final = 0.5
"""Least fraction of a body's corners in the convex hull of another for it to be inside."""
MAX_AGAINST_SLOPE: Final = 0.5
"""Bodies in contact are `against` each other where the z component of the separation direction is below this (30°)."""


def find_relations(scene: Scene) -> tuple[Relation, ...]:
    """Return the relations that hold in a scene, in the order of its objects.

    `inside`: most of a body lies in the other's hull, over its pieces. `on`: it would fall at most
    `CONTACT_TOLERANCE_M` before it meets the other. `against`: they touch sideways. `next to`: near each other on one
    support. `hangs on` is kept as the scene has it: what hangs stands on nothing, and is not `against` its wall.
    """
    tolerance = CONTACT_TOLERANCE_M * (1.0 + scene.scale.error)
    bodies = scene_bodies(scene)
    hanging = hanging_supports(scene)
    relations: list[Relation] = []
    for placed in scene.objects:
        name = placed.asset.name
        if name in hanging:
            relations.append(Relation(kind="hangs on", subject=name, object=hanging[name]))
        else:
            relations += _support_relations(bodies[name], bodies, tolerance)
    carriers = {(relation.subject, relation.object) for relation in relations}
    order = list(bodies)
    for placed in scene.objects:
        name = placed.asset.name
        for other in order:
            if other == name or (bodies[other].movable and order.index(other) < order.index(name)):
                continue
            if (name, other) in carriers or (other, name) in carriers:
                continue
            kind = _lateral_relation(bodies[name], bodies[other], tolerance)
            shared = {c for s, c in carriers if s == name} & {c for s, c in carriers if s == other}
            if kind == "against":
                relations.append(Relation(kind="against", subject=name, object=other))
            elif kind == "next to" and bodies[other].movable and shared:
                relations.append(Relation(kind="next to", subject=name, object=other))
    return tuple(relations)


def is_inside(body: CollisionBody, holder: CollisionBody) -> bool:
    """Return whether a body lies in another's cavity: inside its convex hull and above some of its pieces.

    A body under an overhang, such as a ball between the legs of a chair, is not inside: it would not fall onto it.
    """
    if not holder.movable or boxes_are_apart(body.box, holder.box):
        return False
    points = np.concatenate([hull.points for hull in body.hulls] + [body.center_of_mass_m[None]])
    outline = ConvexHull(np.concatenate([hull.points for hull in holder.hulls])).equations
    is_held = np.all(points @ outline[:, :3].T + outline[:, 3] <= 0.0, axis=1)
    return (
        bool(is_held[-1])
        and float(is_held.mean()) >= MIN_INSIDE_FRACTION
        and bool(np.isfinite(clearance_below(body, holder, reach_m=CONTACT_TOLERANCE_M)))
    )


def _support_relations(body: CollisionBody, bodies: dict[str, CollisionBody], tolerance_m: float) -> list[Relation]:
    relations = []
    for name, other in bodies.items():
        if name == body.name:
            continue
        if is_inside(body, other):
            relations.append(Relation(kind="inside", subject=body.name, object=name))
        elif clearance_below(body, other, reach_m=tolerance_m) <= tolerance_m and not is_inside(other, body):
            relations.append(Relation(kind="on", subject=body.name, object=name))
    return relations


def _lateral_relation(first: CollisionBody, second: CollisionBody, tolerance_m: float) -> str | None:
    if boxes_are_apart(first.box, second.box, margin_m=NEXT_TO_DISTANCE_M):
        return None
    nearest, direction = np.inf, np.zeros(3)
    for a in first.hulls:
        for b in second.hulls:
            if boxes_are_apart(a, b, margin_m=min(nearest, NEXT_TO_DISTANCE_M)):
                continue
            pair = minkowski_difference(a, b)
            distance = pair.distance_m
            if distance < nearest:
                nearest, direction = distance, _separation_direction(pair.normals, pair.offsets)
    if nearest <= tolerance_m and abs(float(direction[2])) < MAX_AGAINST_SLOPE:
        return "against"
    return "next to" if nearest <= NEXT_TO_DISTANCE_M else None


def _separation_direction(normals: Array, offsets: Array) -> Array:
    return np.asarray(normals[np.argmin(offsets)])
