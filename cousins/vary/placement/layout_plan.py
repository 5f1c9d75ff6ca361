"""Constraints on the layouts of a twin's cousins: supports, groups, proximity limits and footprints of all bodies."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.spatial import ConvexHull

from cousins.geometry import Array, rigid
from cousins.scene.layout.collision_bodies import CollisionBody, asset_body
from cousins.scene.layout.relations import CONTACT_TOLERANCE_M, NEXT_TO_DISTANCE_M
from cousins.scene.scenes import PlacedAsset, Relation, Scene, Structure, hanging_supports
from cousins.vary.cousins import Library, Variant
from cousins.vary.placement.footprints import (
    Footprint,
    distance_m,
    footprint_of_asset,
    footprint_of_structure,
    have_clearance,
)
from cousins.vary.poses import tilt_of, yaw_of

CLEARANCE_M: Final = 0.003
"""Gap kept between bodies [m]; it leaves room for the motion of bodies while they settle."""
RELATION_MARGIN_M: Final = 0.002
"""Margin by which objects stay inside the distance limit of a `next to` or `against` relation [m]."""

FOOT_BAND_M: Final = 5e-4
"""Points less than this above the lowest point belong to the foot [m]."""


@dataclass(frozen=True, kw_only=True)
class YawPose:
    """Position of an object's origin in the world and its yaw."""

    x_m: float
    """Place in the world [m]."""
    y_m: float
    """Place in the world [m]."""
    z_m: float
    """Place in the world [m]."""
    yaw_rad: float
    """Rotation about z relative to the `RestOrientation` [rad]."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class RestOrientation:
    """Rest orientation of a variant: its rotation without yaw, and its footprint in that rotation."""

    tilt: Array
    """Rotation [3, 3]."""
    footprint: Footprint
    """Footprint in that rotation, about the origin of the asset."""
    margin_m: float
    """Distance of the centre of mass from the edge of the support polygon [m]; a larger shift makes it tip or roll."""

    def pose_matrix(self, yaw_pose: YawPose) -> Array:
        """Return `world_from_asset` [4, 4] at a position and yaw."""
        c, s = math.cos(yaw_pose.yaw_rad), math.sin(yaw_pose.yaw_rad)
        turn = np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
        return rigid(turn @ self.tilt, np.array([yaw_pose.x_m, yaw_pose.y_m, yaw_pose.z_m]))

    def footprint_at(self, yaw_pose: YawPose) -> Footprint:
        """Return the footprint in the world at a position and yaw."""
        return self.footprint.transformed(yaw_pose.x_m, yaw_pose.y_m, yaw_pose.yaw_rad, yaw_pose.z_m)

    def footprint_at_matrix(self, world_from_asset: Array) -> Footprint:
        """Return the footprint in the world at a pose [4, 4] that differs by a yaw and a translation only."""
        x, y, z = (float(value) for value in world_from_asset[:3, 3])
        return self.footprint.transformed(x, y, yaw_of(world_from_asset[:3, :3] @ self.tilt.T), z)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class LayoutPlan:
    """Properties of the twin that every layout keeps, precomputed once for all cousins."""

    objects: Mapping[str, PlacedAsset]
    """Objects of the twin, each supporting object before the objects that it supports."""
    twin_poses: Mapping[str, YawPose]
    """Positions and yaws of the objects in the twin."""
    rest_orientations: Mapping[str, RestOrientation]
    """Rest orientations of the variants, by key."""
    bodies: Mapping[str, CollisionBody]
    """Collision bodies of the variants in their own frames, by key."""
    carriers: Mapping[str, tuple[str, str]]
    """Relation (`on` or `inside`) and name of the supporting object or structure, by object; missing where unknown."""
    groups: tuple[tuple[str, ...], ...]
    """Groups of objects on structure that are placed together, in the order of placement; single objects alone."""
    proximity_limits: tuple[tuple[Relation, float], ...]
    """Relations `next to` and `against` between objects of one group, with their largest allowed distances [m]."""
    close_neighbors: Mapping[str, frozenset[str]]
    """Objects of the same group that are too close in the twin to be moved separately, by object."""
    wall_directions: Mapping[str, Array]
    """Horizontal direction [2] along which the group of an object against a wall may move, by object."""
    structure_footprints: Mapping[str, Footprint]
    """Footprints of the structures, by name."""
    fixed_footprints: tuple[Footprint, ...]
    """Footprints of the fixed objects."""
    sliding: Mapping[str, str]
    """Wall or ceiling by name of each hanging object that may move along it: no relation ties it to its neighbours."""


def make_layout_plan(library: Library) -> LayoutPlan:
    """Return the layout plan of a library's twin."""
    scene = library.scene
    objects = {placed.asset.name: placed for placed in scene.objects}
    twin_poses, tilts = {}, {}
    for name, placed in objects.items():
        twin_poses[name], tilts[name] = _yaw_pose(placed.world_from_asset)
    rest_orientations = {key: _rest_orientation(variant, tilts) for key, variant in library.variants.items()}
    carriers = _carriers(scene)
    on_structure = [
        name for name, placed in objects.items() if not placed.fixed and _structure_under(name, carriers, scene)
    ]
    group_relations = tuple(
        relation
        for relation in scene.relations
        if relation.kind in ("next to", "against")
        and relation.subject in on_structure
        and relation.object in on_structure
    )
    footprints = {name: rest_orientations[name].footprint_at(twin_poses[name]) for name in objects}
    close_neighbors = _close_neighbors(on_structure, footprints, group_relations)
    return LayoutPlan(
        objects=objects,
        twin_poses=twin_poses,
        rest_orientations=rest_orientations,
        bodies={key: asset_body(variant.asset) for key, variant in library.variants.items()},
        carriers=carriers,
        groups=_groups(on_structure, group_relations, close_neighbors),
        proximity_limits=tuple(
            (group_relation, _max_distance_m(group_relation, footprints)) for group_relation in group_relations
        ),
        close_neighbors=close_neighbors,
        wall_directions=_wall_directions(scene, on_structure),
        structure_footprints={structure.name: footprint_of_structure(structure) for structure in scene.structures},
        fixed_footprints=tuple(footprints[name] for name, placed in objects.items() if placed.fixed),
        sliding=_sliding(scene),
    )


def _max_distance_m(relation: Relation, footprints: Mapping[str, Footprint]) -> float:
    """Return the largest allowed distance of two related objects [m], at least their distance in the twin."""
    limit_m = (CONTACT_TOLERANCE_M if relation.kind == "against" else NEXT_TO_DISTANCE_M) - RELATION_MARGIN_M
    return max(limit_m, distance_m(footprints[relation.subject], footprints[relation.object]) + 1e-9)


def _close_neighbors(
    names: list[str], footprints: Mapping[str, Footprint], relations: tuple[Relation, ...]
) -> dict[str, frozenset[str]]:
    pairs = {frozenset((relation.subject, relation.object)) for relation in relations if relation.kind == "against"}
    for index, name in enumerate(names):
        for other in names[:index]:
            if not have_clearance(footprints[name], footprints[other], gap_m=CLEARANCE_M):
                pairs.add(frozenset((name, other)))
    return {name: frozenset().union(*(pair for pair in pairs if name in pair)) - {name} for name in names}


def _yaw_pose(world_from_asset: Array) -> tuple[YawPose, Array]:
    x, y, z = (float(value) for value in world_from_asset[:3, 3])
    yaw = yaw_of(world_from_asset)
    return YawPose(x_m=x, y_m=y, z_m=z, yaw_rad=yaw), tilt_of(world_from_asset)


def _rest_orientation(variant: Variant, tilts: Mapping[str, Array]) -> RestOrientation:
    """Return the rest orientation of a variant: that of the twin's object for its shapes, else upright."""
    lies_as_twin = variant.kind in ("twin", "shape")
    tilt = tilts[variant.twin_object] if lies_as_twin else np.eye(3)
    body = asset_body(variant.asset).transformed(rigid(tilt))
    return RestOrientation(tilt=tilt, footprint=footprint_of_asset(variant.asset, tilt), margin_m=_foot_margin_m(body))


def _foot_margin_m(body: CollisionBody) -> float:
    """Return the horizontal distance of the centre of mass from the edge of the support polygon [m]."""
    points = np.concatenate([hull.points for hull in body.hulls])
    foot = points[points[:, 2] <= points[:, 2].min() + FOOT_BAND_M][:, :2]
    if len(foot) < 3 or np.linalg.matrix_rank(foot - foot.mean(axis=0), tol=1e-6) < 2:
        return 0.0
    edges = ConvexHull(foot).equations
    return max(0.0, -float((edges[:, :2] @ body.center_of_mass_m[:2] + edges[:, 2]).max()))


def _carriers(scene: Scene) -> dict[str, tuple[str, str]]:
    carriers: dict[str, tuple[str, str]] = {}
    for relation in scene.relations:
        if relation.kind == "inside" or (relation.kind == "on" and relation.subject not in carriers):
            carriers[relation.subject] = relation.kind, relation.object
    return carriers


def _structure_under(name: str, carriers: Mapping[str, tuple[str, str]], scene: Scene) -> Structure | None:
    carrier = carriers[name][1] if name in carriers else ""
    return next((structure for structure in scene.structures if structure.name == carrier), None)


def _groups(
    names: list[str], relations: tuple[Relation, ...], close_neighbors: Mapping[str, frozenset[str]]
) -> tuple[tuple[str, ...], ...]:
    pairs = [(relation.subject, relation.object) for relation in relations]
    pairs += [(name, neighbor) for name in names for neighbor in names if neighbor in close_neighbors[name]]
    group = {name: index for index, name in enumerate(names)}
    for subject, neighbor in pairs:
        first, second = group[subject], group[neighbor]
        group = {name: min(first, second) if index in (first, second) else index for name, index in group.items()}
    return tuple(tuple(name for name in names if group[name] == index) for index in sorted(set(group.values())))


def _sliding(scene: Scene) -> dict[str, str]:
    """Return the wall or ceiling of each hanging object that stands in no relation sideways."""
    lateral = [relation for relation in scene.relations if relation.kind in ("against", "next to")]
    tied = {name for relation in lateral for name in (relation.subject, relation.object)}
    return {name: support for name, support in hanging_supports(scene).items() if name not in tied}


def _wall_directions(scene: Scene, names: list[str]) -> dict[str, Array]:
    """Return the horizontal direction [2] along the structure that an object is against, by object."""
    structures = {structure.name: structure for structure in scene.structures}
    directions = {}
    for relation in scene.relations:
        if relation.kind == "against" and relation.subject in names and relation.object in structures:
            points = structures[relation.object].visual.vertices[:, :2]
            _, _, axes = np.linalg.svd(points - points.mean(axis=0), full_matrices=False)
            directions[relation.subject] = axes[0]
    return directions
