"""Many views to objects in space: one oriented voxel map, planes out, convex pieces, then what can stand alone."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial import cKDTree

from cousins.capture.captures import Capture
from cousins.geometry import Array
from cousins.segment.parts.convex_patches import PatchConfig, make_patches
from cousins.segment.parts.edge_contraction import join
from cousins.segment.parts.hollow_objects import RING_M, join_rings, with_bottoms
from cousins.segment.parts.object_grouping import MIN_VOXELS, Part, components, keep_real, objects_of, part_of, smear_m
from cousins.segment.parts.stability_grouping import GroupConfig
from cousins.segment.structure.ground import ground
from cousins.segment.structure.planes import Structure, heights, inside_outline
from cousins.segment.surfaces.depth_view import level_offsets
from cousins.segment.surfaces.surface import Surface, drawn_together
from cousins.segment.surfaces.voxel_map import VoxelConfig, VoxelMap, gather


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Instances:
    """Objects in space."""

    points: Array
    """Points of the map that belong to an object, world [m], float64 [n, 3]."""
    normals: Array
    """Their unit normals, float64 [n, 3]."""
    labels: Array
    """Object of each point, int64 [n]."""
    heights: Array
    """Height of each point above its support [m], float64 [n]."""
    voxel_m: float
    """Distance between neighbouring points [m]."""
    rest: Array
    """All other points of the map: planes and what was dropped, world [m], float64 [r, 3]."""
    dropped: tuple[str, ...] = ()
    """What was left out and why, a sentence each."""


def find_instances(
    capture: Capture, structure: Structure, *, voxel: VoxelConfig, patch: PatchConfig, group: GroupConfig
) -> Instances:
    """Tell the objects of a capture apart in space."""
    scene = gather(capture, config=voxel)
    above, height, noise = _above(scene, structure)
    scene = _bridged(scene, above & (height > max(RING_M, 4.0 * noise)))
    above &= _without_specks(scene, above, max(group.min_area_m2, MIN_VOXELS * scene.voxel_m**2))
    all_height, surface, height = height, part_of(scene.surface, above), height[above]
    labels, normals = _pieces(surface, patch, scene.voxel_m)
    if len(labels):
        part = Part(
            surface=surface,
            normals=normals,
            height_m=height,
            grounded=_beside(scene.surface.edges, above),
            voxel_m=scene.voxel_m,
            up=structure.up,
        )
        labels = objects_of(part, labels, group, low_m=smear_m(noise, scene.voxel_m) + scene.voxel_m)
        ground = scene.surface.points[~above]
        labels, dropped = keep_real(part, labels, ground, noise)
    else:
        dropped = ()
    all_labels = np.full(len(above), -1, dtype=np.int64)
    all_labels[above] = labels
    all_normals = scene.surface.normals.copy()
    all_normals[above] = normals
    voxel_m, up = scene.voxel_m, structure.up
    all_labels = join_rings(scene.surface, all_labels, all_height, voxel_m=voxel_m, up=up)
    all_labels = with_bottoms(scene.surface, all_labels, all_height, noise, voxel_m=voxel_m, up=up)
    good = all_labels >= 0
    return Instances(
        points=scene.surface.points[good],
        normals=all_normals[good],
        labels=all_labels[good],
        heights=all_height[good],
        voxel_m=scene.voxel_m,
        rest=scene.surface.points[~good],
        dropped=dropped,
    )


def _bridged(scene: VoxelMap, above: Array) -> VoxelMap:
    """Return the map with links from small groups over gaps of three voxels: thin dark legs are seen in bits."""
    part = part_of(scene.surface, above)
    group = components(len(part.points), part.edges)
    small = np.flatnonzero(np.bincount(group, minlength=1)[group] < MIN_VOXELS)
    if len(small) == 0:
        return scene
    gap, near = cKDTree(part.points).query(part.points[small], k=min(12, len(part.points)))
    other = (gap < 3.0 * scene.voxel_m) & (group[near] != group[small][:, None])
    first = np.argmax(other, axis=1)
    found = np.flatnonzero(other.any(axis=1))
    here, there = small[found], near[found, first[found]]
    outer = np.flatnonzero(above)
    links = np.stack([outer[here], outer[there]], axis=1)
    return replace(scene, surface=replace(scene.surface, edges=np.concatenate([scene.surface.edges, links])))


def _above(scene: VoxelMap, structure: Structure) -> tuple[Array, Array, float]:
    """Return which points [n] are of no plane, their heights [n] above the support below, and its usual noise [m]."""
    points, normals = scene.surface.points, scene.surface.normals
    above = np.ones(len(points), dtype=bool)
    height = np.full(len(points), np.inf)
    noise = np.full(len(points), 0.002)
    for fitted in structure.planes:
        if fitted.plane.kind == "wall":
            over = heights(fitted, points)
            gate = max(0.02, 3.0 * fitted.scatter_m)
            above &= ~((over < gate) & inside_outline(fitted.plane, points, margin_m=0.03))
            continue
        over = heights(fitted, points) - level_offsets(fitted, points, normals)
        over = over - ground(points, normals, over, fitted, cell_m=3.0 * scene.voxel_m)
        within = inside_outline(fitted.plane, points, margin_m=0.2)
        own = within & (np.abs(over) < 0.03) & (normals @ fitted.plane.normal > np.cos(np.deg2rad(25.0)))
        local = 1.4826 * float(np.median(np.abs(over[own]))) if own.any() else 0.002
        above &= ~((over < np.clip(3.0 * local, 0.004, 0.012)) & within)
        nearest = within & (over > -0.02) & (over < height)
        height, noise = np.where(nearest, over, height), np.where(nearest, local, noise)
    lowest = points @ structure.up - float((points @ structure.up).min(initial=0.0))
    usual = max(0.001, float(np.median(noise[above]))) if above.any() else 0.001
    return above, np.where(np.isfinite(height), height, lowest), usual


def _beside(edges: Array, above: Array) -> Array:
    """Return for each point above the ground whether it touches one that is not, bool [count of above]."""
    touched = np.zeros(len(above), dtype=bool)
    touched[edges[above[edges].sum(axis=1) == 1].ravel()] = True
    return touched[above]


def _without_specks(scene: VoxelMap, above: Array, min_area_m2: float) -> Array:
    """Return bool [n]: points in connected groups that are large enough to be an object."""
    surface = part_of(scene.surface, above)
    group = components(len(surface.points), surface.edges)
    large = np.bincount(group, minlength=1) * scene.voxel_m**2 >= min_area_m2
    kept = np.zeros(len(above), dtype=bool)
    kept[np.flatnonzero(above)[large[group]]] = True
    return kept


def _pieces(surface: Surface, patch: PatchConfig, voxel_m: float) -> tuple[Array, Array]:
    """Return the convex piece of each point and the normal of its patch."""
    if len(surface.points) == 0:
        return np.zeros(0, dtype=np.int64), np.zeros((0, 3))
    sized = PatchConfig(
        size_m=max(patch.size_m, 3.0 * voxel_m),
        smooth_deg=patch.smooth_deg,
        crease_deg=patch.crease_deg,
        repulsion=patch.repulsion,
        color_step=patch.color_step,
    )
    patches = make_patches(drawn_together(surface, steps=3), config=sized)
    piece = join(len(patches.centers), patches.pairs, patches.evidence)
    return piece[patches.of_point], patches.normals[patches.of_point]
