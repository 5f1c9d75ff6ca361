"""Segment several views in space: one oriented voxel map, planes removed, convex pieces, pieces grouped to objects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial import cKDTree

from cousins.capture.captures import Capture
from cousins.geometry import Array
from cousins.segment.parts.convex_patches import PatchConfig, make_patches
from cousins.segment.parts.edge_contraction import contract_edges
from cousins.segment.parts.hollow_objects import MAX_BOTTOM_HEIGHT_M, add_hollow_bottoms, join_hollow_walls
from cousins.segment.parts.object_grouping import (
    MIN_OBJECT_VOXELS,
    ForegroundMap,
    connected_labels,
    drop_ground_artifacts,
    ground_smear_height_m,
    group_objects,
    surface_subset,
)
from cousins.segment.parts.part_merging import PartMergingConfig
from cousins.segment.parts.stability_grouping import GroupConfig
from cousins.segment.structure.ground import ground_heights
from cousins.segment.structure.planes import (
    BOARD_M,
    FixedStructure,
    heights_above_plane,
    inside_outline,
    is_beyond_wall,
    is_over_support,
)
from cousins.segment.surfaces.depth_view import plane_deviations
from cousins.segment.surfaces.surface import Surface, merge_layers
from cousins.segment.surfaces.voxel_map import VoxelConfig, VoxelMap, build_voxel_map
from cousins.segment.view_votes import SegmentedView, vote_on_points

CARRIER_REACH_M = 0.02
"""What reaches this near to the underside of a board belongs to what carries it [m]: a voxel or two."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class LabelledCloud:
    """Points of a scene with the object that each belongs to."""

    points: Array
    """Points of the map that belong to an object, world [m], float64 [n, 3]."""
    normals: Array
    """Their unit normals, float64 [n, 3]."""
    labels: Array
    """Object of each point, int64 [n]."""
    height_m: Array
    """Height of each point above its support [m], float64 [n]."""
    voxel_m: float
    """Distance between neighbouring points [m]."""
    rest: Array
    """All other points of the map: planes and what was dropped, world [m], float64 [r, 3]."""
    leftover: Array
    """Those of them that lie above the planes, float64 [l, 3]."""


def find_instances(
    capture: Capture,
    structure: FixedStructure,
    views: Sequence[SegmentedView],
    *,
    voxel: VoxelConfig,
    patch: PatchConfig,
    merging: PartMergingConfig,
    group: GroupConfig,
) -> LabelledCloud:
    """Segment the objects of a capture in space; `views` of it, segmented alone, decide which pieces are two things."""
    scene = build_voxel_map(capture, config=voxel)
    above, height, noise = _points_above_planes(scene, structure)
    scene = _bridge_small_gaps(scene, above & (height > max(MAX_BOTTOM_HEIGHT_M, 4.0 * noise)))
    above_planes = above
    above = above & _mask_without_specks(scene, above, max(group.min_area_m2, MIN_OBJECT_VOXELS * scene.voxel_m**2))
    all_height, surface, height = height, surface_subset(scene.surface, above), height[above]
    labels, normals = _convex_pieces(surface, patch, scene.voxel_m)
    if len(labels):
        foreground = ForegroundMap(
            surface=surface,
            normals=normals,
            height_m=height,
            grounded=_touches_ground(scene.surface.edges, above),
            voxel_m=scene.voxel_m,
            up=structure.up,
            votes=vote_on_points(views, surface.points, voxel_m=scene.voxel_m),
        )
        low_m = ground_smear_height_m(noise, scene.voxel_m) + scene.voxel_m
        labels = group_objects(foreground, labels, merging, group, low_m=low_m)
        ground = scene.surface.points[~above]
        labels = drop_ground_artifacts(foreground, labels, ground, noise)
    all_labels = np.full(len(above), -1, dtype=np.int64)
    all_labels[above] = labels
    all_normals = scene.surface.normals.copy()
    all_normals[above] = normals
    voxel_m, up = scene.voxel_m, structure.up
    all_labels = join_hollow_walls(scene.surface, all_labels, all_height, voxel_m=voxel_m, up=up)
    all_labels = add_hollow_bottoms(scene.surface, all_labels, all_height, noise, voxel_m=voxel_m, up=up)
    is_object = all_labels >= 0
    return LabelledCloud(
        points=scene.surface.points[is_object],
        normals=all_normals[is_object],
        labels=all_labels[is_object],
        height_m=all_height[is_object],
        voxel_m=scene.voxel_m,
        rest=scene.surface.points[~is_object],
        leftover=scene.surface.points[above_planes & ~is_object],
    )


def _bridge_small_gaps(scene: VoxelMap, above: Array) -> VoxelMap:
    """Return the map with edges from small groups across gaps of three voxels: thin dark legs come in fragments."""
    foreground = surface_subset(scene.surface, above)
    group = connected_labels(len(foreground.points), foreground.edges)
    small = np.flatnonzero(np.bincount(group, minlength=1)[group] < MIN_OBJECT_VOXELS)
    if len(small) == 0:
        return scene
    gap, neighbours = cKDTree(foreground.points).query(foreground.points[small], k=min(12, len(foreground.points)))
    is_other_group = (gap < 3.0 * scene.voxel_m) & (group[neighbours] != group[small][:, None])
    first_match = np.argmax(is_other_group, axis=1)
    rows = np.flatnonzero(is_other_group.any(axis=1))
    small_points, nearest_points = small[rows], neighbours[rows, first_match[rows]]
    map_indices = np.flatnonzero(above)
    links = np.stack([map_indices[small_points], map_indices[nearest_points]], axis=1)
    return replace(scene, surface=replace(scene.surface, edges=np.concatenate([scene.surface.edges, links])))


def _points_above_planes(scene: VoxelMap, structure: FixedStructure) -> tuple[Array, Array, float]:
    """Return which points [n] lie on no plane, their height [n] above the support [m], and its typical noise [m]."""
    points, normals = scene.surface.points, scene.surface.normals
    above = np.ones(len(points), dtype=bool)
    height = np.full(len(points), np.inf)
    noise = np.full(len(points), 0.002)
    supports = [fitted for fitted in structure.planes if fitted.plane.kind != "wall"]
    lowest = min(supports, key=lambda fitted: float(fitted.plane.outline[:, 2].mean()), default=None)
    upper = replace(structure, planes=tuple(fitted for fitted in supports if fitted is not lowest))
    over_board = is_over_support(upper, points, ("table", "floor"))
    over_lowest = is_over_support(structure, points, ("table", "floor")) & ~over_board
    below_board_m = np.full(len(points), np.inf)
    for fitted in structure.planes:
        if fitted.plane.kind == "wall":
            over = heights_above_plane(fitted, points)
            gate = max(0.02, 3.0 * fitted.scatter_m)
            is_behind = (over < gate) & ~is_beyond_wall(structure, fitted, points, normals)
            above &= ~(is_behind & inside_outline(fitted.plane, points, margin_m=0.03))
            continue
        over = heights_above_plane(fitted, points) - plane_deviations(fitted, points, normals)
        over = over - ground_heights(points, normals, over, fitted, cell_m=3.0 * scene.voxel_m)
        within = inside_outline(fitted.plane, points, margin_m=0.2)
        on_plane = within & (np.abs(over) < 0.03) & (normals @ fitted.plane.normal > np.cos(np.deg2rad(25.0)))
        plane_noise_m = 1.4826 * float(np.median(np.abs(over[on_plane]))) if on_plane.any() else 0.002
        is_far_below = over < -BOARD_M
        is_below = (over < np.clip(3.0 * plane_noise_m, 0.004, 0.012)) & ~(is_far_below & (over_board | over_lowest))
        above &= ~(is_below & within)
        is_on_floor = within & is_far_below & over_lowest
        below_board_m = np.where(is_on_floor, np.minimum(below_board_m, -over), below_board_m)
        nearest = within & (over > -0.02) & (over < height)
        height, noise = np.where(nearest, over, height), np.where(nearest, plane_noise_m, noise)
    above &= ~_carries_board(scene.surface, above & np.isfinite(below_board_m), below_board_m)
    height_over_lowest = points @ structure.up - float((points @ structure.up).min(initial=0.0))
    typical_noise_m = max(0.001, float(np.median(noise[above]))) if above.any() else 0.001
    return above, np.where(np.isfinite(height), height, height_over_lowest), typical_noise_m


def _carries_board(surface: Surface, mask: Array, below_board_m: Array) -> Array:
    """Return which of the points selected by a mask [n] are legs and such: their group reaches the board above, [n]."""
    indices = np.flatnonzero(mask)
    if not len(indices):
        return np.zeros(len(mask), dtype=bool)
    group = connected_labels(len(indices), surface_subset(surface, mask).edges)
    gap_m = np.full(int(group.max()) + 1, np.inf)
    np.minimum.at(gap_m, group, below_board_m[indices])
    carries = np.zeros(len(mask), dtype=bool)
    carries[indices[gap_m[group] < BOARD_M + CARRIER_REACH_M]] = True
    return carries


def _touches_ground(edges: Array, above: Array) -> Array:
    """Return for each point above the ground whether it touches one that is not, bool [count of above]."""
    touched = np.zeros(len(above), dtype=bool)
    touched[edges[above[edges].sum(axis=1) == 1].ravel()] = True
    return touched[above]


def _mask_without_specks(scene: VoxelMap, above: Array, min_area_m2: float) -> Array:
    """Return bool [n]: points in connected groups that are large enough to be an object."""
    surface = surface_subset(scene.surface, above)
    group = connected_labels(len(surface.points), surface.edges)
    large = np.bincount(group, minlength=1) * scene.voxel_m**2 >= min_area_m2
    keep_mask = np.zeros(len(above), dtype=bool)
    keep_mask[np.flatnonzero(above)[large[group]]] = True
    return keep_mask


def _convex_pieces(surface: Surface, patch: PatchConfig, voxel_m: float) -> tuple[Array, Array]:
    """Return the convex piece of each point and the normal of its patch."""
    if len(surface.points) == 0:
        return np.zeros(0, dtype=np.int64), np.zeros((0, 3))
    patch_config = PatchConfig(
        size_m=max(patch.size_m, 3.0 * voxel_m),
        smooth_deg=patch.smooth_deg,
        crease_deg=patch.crease_deg,
        repulsion=patch.repulsion,
        color_step=patch.color_step,
    )
    patches = make_patches(merge_layers(surface, steps=3), config=patch_config)
    piece = contract_edges(len(patches.centers), patches.pairs, patches.evidence)
    return piece[patches.patch_of_point], patches.normals[patches.patch_of_point]
