"""What depth images saw and no structure or object explains, kept as fixed, coloured, collidable surface.

All frames are fused into one surface. The part of it that is further than measurement error from the twin becomes one
structure, `remainder`: a robot in simulation then meets something where something stood.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import fast_simplification
import numpy as np
import trimesh
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from cousins.capture.captures import Frame
from cousins.fusion.plain_surface import COARSE_VOXEL_M, plain_surface
from cousins.geometry import Array
from cousins.meshes import Mesh
from cousins.reconstruct.assets import Piece
from cousins.scene.layout.collision_bodies import CollisionBody
from cousins.scene.layout.minkowski import Hull
from cousins.scene.layout.observed_region import count_structure_observations, merged_rectangles

GREY_LEVEL: Final = 160
"""Grey level of surface without any colour."""


@dataclass(frozen=True, kw_only=True)
class RemainderConfig:
    """What counts as unexplained surface and how finely it is kept."""

    fine_voxel_m: float = 0.006
    """Voxel edge of the fused surface of a small capture [m]."""
    large_m2: float = 8.0
    """Fused area from which a capture is large [m²]."""
    explained_m: float = 0.015
    """Surface this near to a structure is explained [m]: depth noise of a phone at 2 m, pose error included."""
    object_reach_m: float = 0.02
    """Surface this near to an object is taken for its own, seen from another side with another pose error [m]."""
    max_through: float = 1.5
    """Largest number of frames that look through a point for each frame that measured a surface there."""
    min_patch_voxels2: float = 30.0
    """Smaller connected patches are noise [squared voxel edges of the fused surface]."""
    sample_spacing_m: float = 0.012
    """Distance between the points by which the twin's surface is represented [m]."""
    max_faces: int = 30_000
    """Largest number of triangles that are kept."""
    cell_m: float = 0.02
    """Edge of the cells from which collision boxes are merged [m]; doubled until there are at most `max_boxes`."""
    max_boxes: int = 1500
    """Largest number of collision boxes."""
    clearance_m: float = 0.004
    """Distance that collision boxes keep from objects [m]."""


def find_remainder(
    structures: Sequence[Mesh],
    objects: Sequence[Mesh],
    bodies: Sequence[CollisionBody],
    frames: Sequence[Frame],
    *,
    surface: Mesh | None = None,
    config: RemainderConfig | None = None,
) -> tuple[Mesh, tuple[Piece, ...]] | None:
    """Return the unexplained surface and its collision boxes in the world frame, or None where all is explained.

    `structures` and `objects` are the visual meshes of the twin in the world frame; `bodies` are the objects from which
    collision boxes keep clear. `surface` is the `plain_surface` of the frames; it is made here where it is not given.
    """
    config = RemainderConfig() if config is None else config
    fused, voxel_m = _fused_surface(frames, plain_surface(frames) if surface is None else surface, config)
    is_kept = ~(
        is_near_meshes(fused.vertices, structures, config.explained_m, spacing_m=config.sample_spacing_m)
        | is_near_meshes(fused.vertices, objects, config.object_reach_m, spacing_m=config.sample_spacing_m)
    )
    measured, through = count_structure_observations(fused.vertices, frames)
    visual = _large_patches(
        fused, is_kept & (through < config.max_through * measured), config.min_patch_voxels2 * voxel_m**2
    )
    if not len(visual.faces):
        return None
    visual = _with_all_colors(_decimated(visual, config.max_faces))
    pieces = _boxes(visual.surface_points(config.cell_m / 2.0), bodies, config)
    return (visual, pieces) if pieces else None


def coarse_boxes_note(boxes: Sequence[Piece], *, config: RemainderConfig | None = None) -> list[str]:
    """Return a note where the collision boxes of a remainder are coarser than asked for, else nothing."""
    config = RemainderConfig() if config is None else config
    cell_m = min(float(piece.size_m.min()) for piece in boxes)
    if cell_m < config.cell_m + 1e-6:
        return []
    wanted_cm, cell_cm = 100.0 * config.cell_m, 100.0 * cell_m
    note = f"collision boxes of the remainder are {cell_cm:.1f} cm coarse instead of {wanted_cm:.1f} cm"
    return [f"{note}: finer ones would be more than {config.max_boxes}"]


def is_near_meshes(points: Array, meshes: Sequence[Mesh], reach_m: float, *, spacing_m: float = 0.012) -> Array:
    """Return which points [n, 3] lie within a distance [m] of meshes [n], which are sampled every `spacing_m` [m]."""
    if not meshes:
        return np.zeros(len(points), dtype=bool)
    tree = cKDTree(
        np.concatenate([mesh.surface_points(spacing_m) for mesh in meshes]), balanced_tree=False, compact_nodes=False
    )
    distance, _ = tree.query(points, distance_upper_bound=reach_m, workers=-1)
    return np.isfinite(distance)


def _fused_surface(frames: Sequence[Frame], coarse: Mesh, config: RemainderConfig) -> tuple[Mesh, float]:
    """Return the fused surface of all frames, and its voxel edge [m]: finer than `coarse` where that is small."""
    if not len(coarse.faces) or coarse.to_trimesh().area > config.large_m2:
        return coarse, COARSE_VOXEL_M
    return plain_surface(frames, config.fine_voxel_m), config.fine_voxel_m


def _large_patches(fused: Mesh, is_kept: Array, min_patch_m2: float) -> Mesh:
    """Return the triangles between kept vertices, bool [n], of a surface, in patches of at least `min_patch_m2`."""
    faces = fused.faces[is_kept[fused.faces].all(axis=1)]
    if not len(faces):
        return Mesh(vertices=np.zeros((0, 3)), faces=np.zeros((0, 3), dtype=np.int32))
    links = coo_array(
        (np.ones(2 * len(faces), dtype=np.int8), (np.repeat(faces[:, 0], 2), faces[:, 1:].ravel())),
        shape=(len(fused.vertices),) * 2,
    )
    _, patch = connected_components(links, directed=False)
    areas = Mesh(vertices=fused.vertices, faces=faces).triangle_areas_m2()
    patch_of_face = patch[faces[:, 0]]
    patch_areas = np.bincount(patch_of_face, weights=areas)
    return _compact(fused, faces[patch_areas[patch_of_face] >= min_patch_m2])


def _compact(mesh: Mesh, faces: Array) -> Mesh:
    """Return some faces [m, 3] of a mesh with the vertices that they use."""
    used, renumbered = np.unique(faces, return_inverse=True)
    return Mesh(
        vertices=mesh.vertices[used],
        faces=renumbered.reshape(-1, 3).astype(np.int32),
        colors=None if mesh.colors is None else mesh.colors[used],
    )


def _decimated(mesh: Mesh, max_faces: int) -> Mesh:
    """Return the mesh with at most `max_faces` triangles; a vertex takes the colour of the nearest one before."""
    if len(mesh.faces) <= max_faces:
        return mesh
    vertices, faces = fast_simplification.simplify(
        mesh.vertices.astype(np.float32), mesh.faces.astype(np.int64), target_count=max_faces
    )
    _, nearest = cKDTree(mesh.vertices).query(vertices, workers=-1)
    return Mesh(
        vertices=np.asarray(vertices, dtype=np.float64),
        faces=np.asarray(faces, dtype=np.int32),
        colors=None if mesh.colors is None else mesh.colors[nearest],
    )


def _with_all_colors(mesh: Mesh) -> Mesh:
    """Return the mesh with colours of the nearest coloured vertex where there are none (black), or all grey."""
    if mesh.colors is None or not mesh.colors.any():
        return replace(mesh, colors=np.full((len(mesh.vertices), 3), GREY_LEVEL, dtype=np.uint8))
    is_colored = mesh.colors.any(axis=1)
    colors = mesh.colors.copy()
    _, nearest = cKDTree(mesh.vertices[is_colored]).query(mesh.vertices[~is_colored], workers=-1)
    colors[~is_colored] = mesh.colors[is_colored][nearest]
    return replace(mesh, colors=colors)


def _boxes(points: Array, bodies: Sequence[CollisionBody], config: RemainderConfig) -> tuple[Piece, ...]:
    """Return boxes that cover the cells of a grid with surface points in them [n, 3], clear of the bodies."""
    cell_m = config.cell_m
    while True:
        cells = _occupied_cells(points, cell_m)
        cells = cells[~_is_near_bodies((cells + 0.5) * cell_m, bodies, cell_m / 2.0 + config.clearance_m)]
        corners = merged_boxes(cells)
        if len(corners) <= config.max_boxes:
            return tuple(_box_piece(low * cell_m, high * cell_m) for low, high in corners)
        cell_m *= max(1.1, 0.9 * np.sqrt(len(corners) / config.max_boxes))


def _occupied_cells(points: Array, cell_m: float) -> Array:
    """Return the cells with points [n, 3] in them, each once, sorted by z, y, x; int64 [m, 3]."""
    cells = np.floor(points / cell_m).astype(np.int64)
    low, high = cells.min(axis=0), cells.max(axis=0)
    return np.asarray(_unpacked(np.unique(_packed(cells - low, high - low + 1)), high - low + 1) + low)


def _packed(cells: Array, size: Array) -> Array:
    """Return one number for each cell [n, 3] of a grid of `size` [3]."""
    return np.asarray((cells[:, 2] * size[1] + cells[:, 1]) * size[0] + cells[:, 0])


def _unpacked(numbers: Array, size: Array) -> Array:
    """Return the cells [n, 3] of numbers that `_packed` gave."""
    rest, x = np.divmod(numbers, size[0])
    z, y = np.divmod(rest, size[1])
    return np.stack([x, y, z], axis=1)


def _is_near_bodies(centers: Array, bodies: Sequence[CollisionBody], reach_m: float) -> Array:
    """Return which cubes about centers [n, 3] of half edge `reach_m` may touch a hull of the bodies [n]."""
    is_near = np.zeros(len(centers), dtype=bool)
    for body in bodies:
        near_body = _in_box(centers, np.arange(len(centers)), body.box, reach_m)
        for hull in body.hulls:
            candidates = _in_box(centers, near_body[~is_near[near_body]], hull, reach_m)
            gaps = centers[candidates] @ hull.normals.T - (hull.points @ hull.normals.T).max(axis=0)
            is_near[candidates] |= (gaps <= reach_m * np.abs(hull.normals).sum(axis=1)).all(axis=1)
    return is_near


def _in_box(centers: Array, candidates: Array, box: Hull, margin_m: float) -> Array:
    """Return those of the candidates, numbers [m] of centers [n, 3], that lie in a box grown by a margin [m]."""
    some = centers[candidates]
    return np.asarray(candidates[((some >= box.low - margin_m) & (some <= box.high + margin_m)).all(axis=1)])


def merged_boxes(cells: Array) -> Array:
    """Return boxes that cover grid cells [n, 3] exactly once: low and high corners in cells, int64 [m, 2, 3].

    Each layer is covered with rectangles; equal rectangles of neighbouring layers become one box.
    """
    boxes: list[tuple[Array, Array]] = []
    growing: dict[tuple[float, ...], int] = {}
    if not len(cells):
        return np.zeros((0, 2, 3), dtype=np.int64)
    low = cells.min(axis=0)
    size = cells.max(axis=0) - low + 1
    order = np.argsort(cells[:, 2], kind="stable")
    levels = cells[order, 2] - low[2]
    for layer in range(int(size[2]) + 1):
        flat = np.zeros((size[1], size[0]), dtype=bool)
        start, stop = np.searchsorted(levels, [layer, layer + 1])
        layer_cells = cells[order[start:stop]] - low
        flat[layer_cells[:, 1], layer_cells[:, 0]] = True
        rectangles = {tuple(corner.ravel().tolist()) for corner in merged_rectangles(flat)}
        for key in [key for key in growing if key not in rectangles]:
            begun = growing.pop(key)
            boxes.append((np.array([key[0], key[1], begun]) + low, np.array([key[2], key[3], layer]) + low))
        for key in rectangles:
            growing.setdefault(key, layer)
    return np.array(sorted((tuple(a), tuple(b)) for a, b in boxes), dtype=np.int64)


def _box_piece(low: Array, high: Array) -> Piece:
    """Return the box between two corners [3] of the world [m]."""
    extents = high - low
    pose = np.eye(4)
    pose[:3, 3] = (low + high) / 2.0
    mesh = Mesh.from_trimesh(trimesh.creation.box(extents=extents)).transformed(pose)
    return Piece(kind="box", mesh=mesh, link_from_piece=pose, size_m=extents)
