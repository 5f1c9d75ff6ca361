"""Cut a thing free of the patch of ground that a phone app exports with it.

The ground is the plane through the outer rim of the mesh, where much of the mesh lies in that plane. What stands out of
it on the side that its faces point to is the thing; its sides are continued down to the plane.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import ConvexHull, QhullError

from cousins.geometry import Array
from cousins.meshes import Mesh

MIN_RIM_EDGES: Final = 8
"""Fewest edges of a rim."""
PLANE_TRIALS: Final = 300
"""Planes through three points of the rim that are tried."""
MAX_GROUND_DISTANCE_SHARE: Final = 0.02
"""Farthest that ground lies from its plane, as a share of the longest side: phones leave ripples of millimetres."""
MAX_GROUND_DISTANCE_M: Final = 0.012
"""Farthest that ground lies from its plane [m]."""
MIN_RIM_SHARE: Final = 0.6
"""Least share of the rim that lies in the plane of the ground."""
MIN_GROUND_SHARE: Final = 0.35
"""Least area of ground in the plane beside the area inside the rim: an open-bottomed thing has none."""
MAX_TILT_COSINE: Final = 0.8
"""Least cosine between the ground's normal and its faces'."""
MIN_HEIGHT_CUTS: Final = 2.0
"""Least height of a thing above the ground, in heights of the cut."""
MIN_PIECE_SHARE: Final = 0.05
"""Least area of a loose piece above the ground beside the largest one."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class FreedMesh:
    """A mesh without its patch of ground."""

    mesh: Mesh
    """The thing that stood on it, its sides continued down to the ground."""
    cut_m: float
    """Height above the ground at which it was cut [m]."""
    ground_area_m2: float
    """Area of the ground that was cut away [m²]."""


def cut_from_ground(mesh: Mesh) -> FreedMesh | None:
    """Return a mesh without the ground that it stands on; None where it stands on none."""
    rim, lengths = _rim(mesh)
    if len(rim) < MIN_RIM_EDGES:
        return None
    reach_m = min(MAX_GROUND_DISTANCE_SHARE * float(np.ptp(mesh.vertices, axis=0).max()), MAX_GROUND_DISTANCE_M)
    plane = _rim_plane(rim, lengths, reach_m)
    if plane is None:
        return None
    normal, offset_m, ground_area_m2 = _faced_up(mesh, *plane, reach_m)
    is_near = np.abs(rim @ normal - offset_m) < reach_m
    if ground_area_m2 < MIN_GROUND_SHARE * _outline_area(rim[is_near], normal):
        return None
    upper = _without_crumbs(_above(mesh, normal, offset_m, reach_m))
    if upper is None or float((upper.vertices @ normal).max()) - offset_m < MIN_HEIGHT_CUTS * reach_m:
        return None
    return FreedMesh(mesh=upper, cut_m=reach_m, ground_area_m2=ground_area_m2)


def _rim(mesh: Mesh) -> tuple[Array, Array]:
    """Return the middles [n, 3] and lengths [n] of the edges that belong to one face only."""
    _, welded = np.unique(np.round(mesh.vertices, 7), axis=0, return_inverse=True)
    faces = welded.ravel()[mesh.faces]
    ends = np.stack([faces, np.roll(faces, -1, axis=1)], axis=-1).reshape(-1, 2)
    _, first, count = np.unique(np.sort(ends, axis=1), axis=0, return_index=True, return_counts=True)
    starts = mesh.vertices[mesh.faces.ravel()[first[count == 1]]]
    stops = mesh.vertices[np.roll(mesh.faces, -1, axis=1).ravel()[first[count == 1]]]
    return 0.5 * (starts + stops), np.linalg.norm(stops - starts, axis=1)


def _rim_plane(rim: Array, lengths: Array, reach_m: float) -> tuple[Array, float] | None:
    """Return normal [3] and offset [m] of the plane that holds most of the rim; None where none holds enough."""
    rng = np.random.default_rng(0)
    best, best_length = np.zeros(len(rim), dtype=bool), 0.0
    for _ in range(PLANE_TRIALS):
        a, b, c = rim[rng.choice(len(rim), 3, replace=False)]
        normal = np.cross(b - a, c - a)
        size = float(np.linalg.norm(normal))
        if size < 1e-12:
            continue
        is_near = np.abs((rim - a) @ normal) < reach_m * size
        if float(lengths[is_near].sum()) > best_length:
            best, best_length = is_near, float(lengths[is_near].sum())
    if best_length < MIN_RIM_SHARE * float(lengths.sum()):
        return None
    middle = rim[best].mean(axis=0)
    normal = np.linalg.svd(rim[best] - middle, full_matrices=False)[2][2]
    return normal, float(middle @ normal)


def _faced_up(mesh: Mesh, normal: Array, offset_m: float, reach_m: float) -> tuple[Array, float, float]:
    """Return the plane turned to the side that its faces point to, and their area [m²]."""
    corners = mesh.vertices[mesh.faces]
    crosses = 0.5 * np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    areas = np.linalg.norm(crosses, axis=1)
    is_ground = np.abs(corners @ normal - offset_m).max(axis=1) < reach_m
    is_ground &= np.abs(crosses @ normal) > MAX_TILT_COSINE * areas
    sign = 1.0 if float((crosses[is_ground] @ normal).sum()) >= 0.0 else -1.0
    return sign * normal, sign * offset_m, float(areas[is_ground].sum())


def _outline_area(points: Array, normal: Array) -> float:
    """Return the area of the convex outline of points [n, 3] in a plane [m²]."""
    axes = np.linalg.svd(normal[None, :])[2][1:]
    try:
        return float(ConvexHull(points @ axes.T).volume)
    except QhullError:
        return np.inf


def _above(mesh: Mesh, normal: Array, offset_m: float, cut_m: float) -> Mesh:
    """Return what lies more than `cut_m` above a plane, continued straight down to the plane."""
    heights = mesh.vertices @ normal - offset_m - cut_m
    above = heights[mesh.faces] > 0.0
    crossing = mesh.faces[above.any(axis=1) & ~above.all(axis=1)]
    is_above = heights[crossing] > 0.0
    lone = np.where(is_above.sum(axis=1) == 1, is_above.argmax(axis=1), (~is_above).argmax(axis=1))
    a, b, c = (crossing[np.arange(len(crossing)), (lone + k) % 3] for k in range(3))
    count = len(mesh.vertices)
    on_ab, on_ac, below_ab, below_ac = (count + k * len(crossing) + np.arange(len(crossing)) for k in range(4))

    def at_cut(values: Array, end: Array) -> Array:
        share = heights[a] / (heights[a] - heights[end])
        return values[a] + share[:, None] * (values[end] - values[a])

    def extended(values: Array | None) -> Array | None:
        if values is None:
            return None
        floats = values.astype(np.float64)
        cut = [at_cut(floats, b), at_cut(floats, c)]
        return np.concatenate([floats, *cut, *cut])

    vertices = extended(mesh.vertices)
    assert vertices is not None
    vertices[count + 2 * len(crossing) :] -= cut_m * normal
    tip = heights[a] > 0.0
    left, right = np.where(tip, on_ab, on_ac), np.where(tip, on_ac, on_ab)
    below_left, below_right = np.where(tip, below_ab, below_ac), np.where(tip, below_ac, below_ab)
    faces = [
        mesh.faces[above.all(axis=1)],
        np.stack([a, on_ab, on_ac], axis=1)[tip],
        np.stack([on_ab, b, c], axis=1)[~tip],
        np.stack([on_ab, c, on_ac], axis=1)[~tip],
        np.stack([right, left, below_left], axis=1),
        np.stack([right, below_left, below_right], axis=1),
    ]
    colors = extended(mesh.colors)
    return Mesh(
        vertices=vertices,
        faces=np.concatenate(faces).astype(np.int32),
        colors=None if colors is None else np.round(colors).astype(np.uint8),
        uv=extended(mesh.uv),
        texture=mesh.texture,
    )


def _without_crumbs(mesh: Mesh) -> Mesh | None:
    """Return the large connected pieces of a mesh and the vertices that they use; None where there are none."""
    if not len(mesh.faces):
        return None
    _, welded = np.unique(np.round(mesh.vertices, 7), axis=0, return_inverse=True)
    faces = welded.ravel()[mesh.faces]
    rows, columns = faces.ravel(), np.roll(faces, -1, axis=1).ravel()
    graph = coo_matrix((np.ones(len(rows), dtype=np.int8), (rows, columns)), shape=(welded.max() + 1,) * 2)
    labels = connected_components(graph, directed=False)[1][faces[:, 0]]
    areas = np.bincount(labels, weights=mesh.triangle_areas_m2())
    used, kept_faces = np.unique(mesh.faces[(areas >= MIN_PIECE_SHARE * areas.max())[labels]], return_inverse=True)
    return replace(
        mesh,
        vertices=mesh.vertices[used],
        faces=kept_faces.reshape(-1, 3).astype(np.int32),
        colors=None if mesh.colors is None else mesh.colors[used],
        uv=None if mesh.uv is None else mesh.uv[used],
    )
