"""Relations between bodies, from their convex pieces: never from origins or boxes alone."""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy.spatial import ConvexHull

from cousins.geometry import Array
from cousins.scene.layout.collision_bodies import Body, bodies_of, clearance_below
from cousins.scene.layout.minkowski import boxes_apart, difference
from cousins.scene.scenes import Relation, Scene

TOUCH_M: Final = 0.005
"""Bodies this near touch [m]: what remains of a phone's depth noise after fusion, ±4 mm of range bias and a bit."""
NEXT_TO_M: Final = 0.10
"""Bodies on one support that are this near stand next to each other [m]: a hand's breadth."""
HELD_FRACTION: Final = 0.5
"""Share of a body's corners that must lie in another's cavity to be inside it."""
STEEP: Final = 0.5
"""Touching bodies whose shortest way apart rises less than this (30°) stand against each other."""


def find_relations(scene: Scene) -> tuple[Relation, ...]:
    """Return the relations that hold in a scene, in the order of its objects.

    `inside`: most of a body lies in the other's hull, over its pieces. `on`: it would fall at most `TOUCH_M`
    before it meets the other. `against`: they touch sideways. `next to`: near each other on one support.
    """
    tolerance = TOUCH_M * (1.0 + scene.scale.error)
    bodies = bodies_of(scene)
    found: list[Relation] = []
    for placed in scene.objects:
        name = placed.asset.name
        found += _supports(bodies[name], bodies, tolerance)
    carriers = {(relation.subject, relation.object) for relation in found}
    order = list(bodies)
    for placed in scene.objects:
        name = placed.asset.name
        for other in order:
            if other == name or (bodies[other].movable and order.index(other) < order.index(name)):
                continue
            if (name, other) in carriers or (other, name) in carriers:
                continue
            kind = _beside(bodies[name], bodies[other], tolerance)
            shared = {c for s, c in carriers if s == name} & {c for s, c in carriers if s == other}
            if kind == "against":
                found.append(Relation(kind="against", subject=name, object=other))
            elif kind == "next to" and bodies[other].movable and shared:
                found.append(Relation(kind="next to", subject=name, object=other))
    return tuple(found)


def is_inside(body: Body, holder: Body) -> bool:
    """Tell whether a body lies in another's cavity: in its convex hull, and over some of its pieces.

    What lies under an overhang, such as a ball between the legs of a chair, would not meet it in falling.
    """
    if not holder.movable or boxes_apart(body.box, holder.box):
        return False
    points = np.concatenate([hull.points for hull in body.hulls] + [body.center_of_mass_m[None]])
    outline = ConvexHull(np.concatenate([hull.points for hull in holder.hulls])).equations
    held = np.all(points @ outline[:, :3].T + outline[:, 3] <= 0.0, axis=1)
    return (
        bool(held[-1])
        and float(held.mean()) >= HELD_FRACTION
        and bool(np.isfinite(clearance_below(body, holder, reach_m=TOUCH_M)))
    )


def _supports(body: Body, bodies: dict[str, Body], tolerance_m: float) -> list[Relation]:
    found = []
    for name, other in bodies.items():
        if name == body.name:
            continue
        if is_inside(body, other):
            found.append(Relation(kind="inside", subject=body.name, object=name))
        elif clearance_below(body, other, reach_m=tolerance_m) <= tolerance_m and not is_inside(other, body):
            found.append(Relation(kind="on", subject=body.name, object=name))
    return found


def _beside(first: Body, second: Body, tolerance_m: float) -> str | None:
    if boxes_apart(first.box, second.box, margin_m=NEXT_TO_M):
        return None
    nearest, direction = np.inf, np.zeros(3)
    for a in first.hulls:
        for b in second.hulls:
            if boxes_apart(a, b, margin_m=min(nearest, NEXT_TO_M)):
                continue
            pair = difference(a, b)
            distance = pair.distance_m
            if distance < nearest:
                nearest, direction = distance, _way_apart(pair.normals, pair.offsets)
    if nearest <= tolerance_m and abs(float(direction[2])) < STEEP:
        return "against"
    return "next to" if nearest <= NEXT_TO_M else None


def _way_apart(normals: Array, offsets: Array) -> Array:
    return np.asarray(normals[np.argmin(offsets)])
