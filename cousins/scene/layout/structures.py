"""Fixed structure from the planes of a segmentation: a flat visual and a slab to collide with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import trimesh
from scipy.spatial import ConvexHull

from cousins.capture.captures import Frame
from cousins.geometry import Array, invert, rigid, rotation_about, transform
from cousins.meshes import Mesh
from cousins.quantities import Quantity
from cousins.reconstruct.assets import Piece
from cousins.scene.layout.observed_region import cell_size_m, observed_region
from cousins.scene.scenes import Structure
from cousins.segment.segments import Plane

SLAB_THICKNESS_M: Final = 0.05
"""Thickness of a slab behind its face [m]: nothing tunnels through it at 10 m/s and 5 ms a step."""
FOOT_MARGIN_M: Final = 0.02
"""How far structure reaches beyond what stands on it [m], where the plane was not seen so far: a depth edge's blur."""
FLOOR_MARGIN_M: Final = 0.5
"""How far a floor's slab reaches beyond what was seen [m]: floors go on, and what falls over stays in the scene."""
CORNER_REACH_M: Final = 0.15
"""Floor and walls whose outlines end this near to each other meet [m]: views end before corners do."""
MIN_CORNER_SIN2: Final = 0.25
"""Planes meet only where the squared sine of their angle is larger: 30°."""
LEVEL_TOLERANCE_RAD: Final = np.deg2rad(2.0)
"""A support that is this level is made exactly level: a phone knows gravity to about 0.5°, and 3 mm of bias over
10 cm are 1.7°."""
MIN_RECTANGLE_FILL: Final = 0.9
"""A table top that fills this share of its smallest rectangle is a box; another one a prism over its outline."""
MAX_RECTANGLES: Final = 150
"""Largest number of rectangles that a structure with openings is cut into."""
DEFAULT_FRICTION: Final = Quantity(value=0.5, low=0.3, high=0.8, source="default")
"""Friction of structure of unknown material."""
DEFAULT_RESTITUTION: Final = Quantity(value=0.1, low=0.0, high=0.3, source="default")
"""Restitution of structure of unknown material."""


def level_plane(plane: Plane, pivot: Array) -> Plane:
    """Return the plane rotated about a pivot [3] to be exactly level where its tilt is below `LEVEL_TOLERANCE_RAD`."""
    tilt = float(np.arccos(np.clip(plane.normal[2], -1.0, 1.0)))
    if plane.kind == "wall" or tilt > LEVEL_TOLERANCE_RAD:
        return plane
    height = (plane.offset_m - plane.normal[:2] @ pivot[:2]) / plane.normal[2]
    outline = plane.outline.copy()
    outline[:, 2] = height
    return Plane(
        name=plane.name, kind=plane.kind, normal=np.array([0.0, 0.0, 1.0]), offset_m=float(height), outline=outline
    )


def join_corners(planes: Sequence[Plane]) -> list[Plane]:
    """Return the planes with outlines of floors and walls extended to the corners that they share, where near."""
    return [
        replace(plane, outline=np.concatenate([plane.outline, *(_corner_extension(plane, other) for other in planes)]))
        for plane in planes
    ]


def structure_from_plane(
    plane: Plane, footprints: Sequence[Array], frames: Sequence[Frame] = (), *, walls: Sequence[Plane] = ()
) -> Structure:
    """Return a plane as a structure whose outline also covers the `footprints` [n, 3] of the objects on it.

    What `frames` look through is left out, and what lies behind `walls`. A floor's slab is never cut, so that nothing
    falls out of the scene.
    """
    world_from_plane = plane_frame(plane)
    plane_from_world = invert(world_from_plane)
    feet = [_with_margin(transform(plane_from_world, points)[:, :2], FOOT_MARGIN_M) for points in footprints]
    observed = transform(plane_from_world, plane.outline)[:, :2]
    outline = hull_outline(np.concatenate([observed, *feet]))
    visual = Mesh(
        vertices=np.hstack([outline, np.zeros((len(outline), 1))]),
        faces=np.array([[0, i, i + 1] for i in range(1, len(outline) - 1)], dtype=np.int32),
        uv=_flat_uv(outline),
    ).transformed(world_from_plane)
    pieces: tuple[Piece, ...] = (_slab(outline, world_from_plane, kind=plane.kind),)
    angle, center, size = smallest_rectangle(outline)
    turn = rotation_about(np.array([0.0, 0.0, 1.0]), angle)
    world_from_grid = world_from_plane @ rigid(turn, np.array([*center, 0.0]))
    rectangles = _existing_rectangles(outline, feet, frames, walls, world_from_plane, world_from_grid, size)
    if len(rectangles):
        visual = _rectangles_mesh(rectangles, size).transformed(world_from_grid)
        if plane.kind != "floor":
            pieces = tuple(_box(rectangle, world_from_grid) for rectangle in rectangles)
    return Structure(
        name=plane.name,
        kind=plane.kind,
        visual=visual,
        pieces=pieces,
        friction=DEFAULT_FRICTION,
        restitution=DEFAULT_RESTITUTION,
    )


def plane_frame(plane: Plane) -> Array:
    """Return `world_from_plane` [4, 4]: z along the normal, x horizontal or world x, origin at the outline's middle."""
    z = plane.normal / np.linalg.norm(plane.normal)
    x = np.array([1.0, 0.0, 0.0]) if abs(z[2]) > 0.7 else np.cross(np.array([0.0, 0.0, 1.0]), z)
    x = x - (x @ z) * z
    x /= np.linalg.norm(x)
    middle = plane.outline.mean(axis=0)
    middle = middle + (plane.offset_m - middle @ z) * z
    return rigid(np.stack([x, np.cross(z, x), z], axis=1), middle)


def smallest_rectangle(points: Array) -> tuple[float, Array, Array]:
    """Return angle [rad], centre [2] and size [2] of the smallest rectangle around points [n, 2].

    One side of it lies along an edge of the convex hull (Freeman and Shapira, 1975).
    """
    hull = points[ConvexHull(points).vertices]
    edges = np.roll(hull, -1, axis=0) - hull
    best: tuple[float, float, Array, Array] | None = None
    for angle in np.round(np.arctan2(edges[:, 1], edges[:, 0]), 9):
        turn = rotation_about(np.array([0.0, 0.0, 1.0]), -float(angle))[:2, :2]
        turned = hull @ turn.T
        low, high = turned.min(axis=0), turned.max(axis=0)
        area = float(np.prod(high - low))
        if best is None or area < best[0] - 1e-9:
            best = area, float(angle), turn.T @ (low + high) / 2.0, high - low
    if best is None:
        raise ValueError("no edge in a convex hull")
    return best[1], best[2], best[3]


def _corner_extension(plane: Plane, other: Plane) -> Array:
    """Return the outline's corners near another plane, moved within their own plane onto the other [k, 3]."""
    across = other.normal - (other.normal @ plane.normal) * plane.normal
    steep = float(across @ across)
    if "table" in (plane.kind, other.kind) or steep < MIN_CORNER_SIN2:
        return np.zeros((0, 3))
    heights = plane.outline @ other.normal - other.offset_m
    reach = heights / np.sqrt(steep)
    beside = _is_over_outline(plane.outline, other)
    near = (np.abs(reach) <= CORNER_REACH_M) & beside
    return np.asarray(plane.outline[near] - heights[near, None] / steep * across)


def _is_over_outline(points: Array, other: Plane) -> Array:
    """Return which points [n, 3] lie over the box of another plane's outline, grown by `CORNER_REACH_M` [n]."""
    low, high = other.outline.min(axis=0) - CORNER_REACH_M, other.outline.max(axis=0) + CORNER_REACH_M
    return np.asarray(np.all((points >= low) & (points <= high), axis=1))


def _with_margin(points: Array, margin_m: float) -> Array:
    """Return points [n, 2] and a ring of eight around each."""
    angles = 2.0 * np.pi * np.arange(8) / 8.0
    ring = margin_m * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return np.asarray((points[:, None, :] + ring[None, :, :]).reshape(-1, 2))


def hull_outline(points: Array) -> Array:
    """Return the corners [k, 2] of the convex hull of points, counter-clockwise."""
    return np.asarray(points[ConvexHull(points).vertices])


def _flat_uv(outline: Array) -> Array:
    """Return texture coordinates [n, 2]: the smallest rectangle around an outline [n, 2] fills the texture."""
    angle, center, size = smallest_rectangle(outline)
    turn = rotation_about(np.array([0.0, 0.0, 1.0]), -angle)[:2, :2]
    return np.clip(0.5 + (outline - center) @ turn.T / np.maximum(size, 1e-9), 0.0, 1.0)


def _existing_rectangles(
    outline: Array,
    feet: Sequence[Array],
    frames: Sequence[Frame],
    walls: Sequence[Plane],
    world_from_plane: Array,
    world_from_grid: Array,
    size: Array,
) -> Array:
    """Return the existing part of an outline [k, 2] as rectangles [n, 2, 2] in the grid's axes; none for all of it.

    Cells grow until there are at most `MAX_RECTANGLES`.
    """
    if not frames:
        return np.zeros((0, 2, 2))
    plane_from_grid = invert(world_from_plane) @ world_from_grid
    cell_m = cell_size_m(size)
    while True:
        columns, rows = (int(np.ceil(length / cell_m)) for length in size)
        across, along = (np.arange(count) + 0.5 - count / 2 for count in (columns, rows))
        x, y = np.meshgrid(across, along)
        cells = cell_m * np.stack([x, y, np.zeros_like(x)], axis=-1)
        centers = transform(plane_from_grid, cells)[..., :2]
        inside = in_convex_outline(centers, outline)
        at_wall = _beside_walls(transform(world_from_grid, cells), walls)
        covered = np.zeros_like(inside)
        for points in feet:
            covered |= in_convex_outline(centers, hull_outline(points))
        region = observed_region(inside, world_from_grid, cell_m, frames, covered=covered, at_wall=at_wall)
        if region is None:
            return np.zeros((0, 2, 2))
        if len(region.rectangles) <= MAX_RECTANGLES:
            return region.rectangles
        cell_m *= 1.25


def _beside_walls(points: Array, walls: Sequence[Plane]) -> Array:
    """Return which points [..., 3] lie within `CORNER_REACH_M` of a wall, at any height, bool [...]."""
    beside = np.zeros(points.shape[:-1], dtype=bool)
    for wall in walls:
        low, high = (wall.outline.min(axis=0) - CORNER_REACH_M)[:2], (wall.outline.max(axis=0) + CORNER_REACH_M)[:2]
        along = np.all((points[..., :2] >= low) & (points[..., :2] <= high), axis=-1)
        beside |= along & (np.abs(points @ wall.normal - wall.offset_m) <= CORNER_REACH_M)
    return beside


def in_convex_outline(points: Array, outline: Array) -> Array:
    """Return which points [..., 2] lie within a convex outline [k, 2], counter-clockwise."""
    inside = np.ones(points.shape[:-1], dtype=bool)
    for start, end in zip(outline, np.roll(outline, -1, axis=0), strict=True):
        along = end - start
        inside &= along[0] * (points[..., 1] - start[1]) - along[1] * (points[..., 0] - start[0]) >= 0.0
    return inside


def _rectangles_mesh(rectangles: Array, size: Array) -> Mesh:
    """Return flat rectangles [n, 2, 2] as a mesh; the rectangle of `size` [2] about the origin fills the texture."""
    low, high = rectangles[:, 0], rectangles[:, 1]
    corners = np.stack(
        [low, np.stack([high[:, 0], low[:, 1]], axis=1), high, np.stack([low[:, 0], high[:, 1]], axis=1)], axis=1
    ).reshape(-1, 2)
    faces = (4 * np.arange(len(rectangles))[:, None, None] + np.array([[0, 1, 2], [0, 2, 3]])).reshape(-1, 3)
    return Mesh(
        vertices=np.hstack([corners, np.zeros((len(corners), 1))]),
        faces=faces.astype(np.int32),
        uv=np.clip(0.5 + corners / np.maximum(size, 1e-9), 0.0, 1.0),
    )


def _box(rectangle: Array, world_from_grid: Array) -> Piece:
    """Return the slab below a rectangle [2, 2] of the grid's plane."""
    low, high = rectangle
    extents = np.array([*(high - low), SLAB_THICKNESS_M])
    pose = world_from_grid @ rigid(translation=np.array([*(low + high) / 2.0, -SLAB_THICKNESS_M / 2.0]))
    mesh = Mesh.from_trimesh(trimesh.creation.box(extents=extents)).transformed(pose)
    return Piece(kind="box", mesh=mesh, link_from_piece=pose, size_m=extents)


def _slab(outline: Array, world_from_plane: Array, *, kind: str) -> Piece:
    """Return the slab below an outline [n, 2] of the plane's frame; its upper face lies exactly on the plane."""
    angle, center, size = smallest_rectangle(outline)
    area = float(ConvexHull(outline).volume)
    if kind == "table" and area < MIN_RECTANGLE_FILL * float(np.prod(size)):
        rims = [np.hstack([outline, np.full((len(outline), 1), z)]) for z in (0.0, -SLAB_THICKNESS_M)]
        mesh = Mesh.from_trimesh(trimesh.convex.convex_hull(np.concatenate(rims))).transformed(world_from_plane)
        return Piece(kind="mesh", mesh=mesh, link_from_piece=np.eye(4), size_m=np.ptp(mesh.vertices, axis=0))
    size = size + (2.0 * FLOOR_MARGIN_M if kind == "floor" else 0.0)
    turn = rotation_about(np.array([0.0, 0.0, 1.0]), angle)
    pose = world_from_plane @ rigid(turn, np.array([*center, -SLAB_THICKNESS_M / 2.0]))
    extents = np.array([*size, SLAB_THICKNESS_M])
    mesh = Mesh.from_trimesh(trimesh.creation.box(extents=extents)).transformed(pose)
    return Piece(kind="box", mesh=mesh, link_from_piece=pose, size_m=extents)
