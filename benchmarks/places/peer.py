"""The peer: a plain TSDF of the same frames with the same poses, planes removed, connected components as objects.

Planes are found by RANSAC in the fused vertices, largest first, until the next is smaller than a sheet of paper of
A3 (0.12 m²); the direction of gravity is that of the truth. What remains is cut where nothing connects it, and pieces
under 2 cm across are dropped. Beside it, for shapes alone, stand plain TSDFs with the true masks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from cousins.capture.captures import Capture
from cousins.fusion.volume import FusionConfig, fuse
from cousins.geometry import Array
from cousins.meshes import Mesh
from places.structure_areas import FlatSurface
from sim.synthetic.phone import Truth

VOXEL_M: Final = 0.005
"""Voxel of small scenes [m]."""
ROOM_VOXEL_M: Final = 0.01
"""Voxel of scenes larger than `ROOM_M` [m]."""
ROOM_M: Final = 4.0
"""Length of a room [m]."""
PLANE_M: Final = 0.012
"""Distance of a plane's vertices from it [m]."""
LEAST_PLANE_M2: Final = 0.12
"""Smallest plane that is removed [m²]."""
MAX_PLANES: Final = 24
"""Most planes that are removed."""
TRIALS: Final = 150
"""Planes that are tried for each that is removed."""
SAME_NORMAL: Final = 0.9
"""Least cosine between the normals of a vertex and its plane."""
SMOOTHING_ROUNDS: Final = 6
"""How often normals are averaged with those of neighbouring vertices: 3 cm about a vertex with 5 mm voxels."""
LEAST_SIZE_M: Final = 0.02
"""Least extent of an object [m]."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Peer:
    """What the peer makes of a capture, in the frame of its poses."""

    objects: tuple[Mesh, ...]
    """Connected components."""
    flat: tuple[FlatSurface, ...]
    """Planes: floor, tables and walls."""
    fused: Mesh
    """The whole fused surface."""


def plain_twin(capture: Capture, up: Array) -> Peer:
    """Return the peer's objects and planes; `up` [3] is the true direction in the capture's frame."""
    places = np.stack([frame.world_from_camera[:3, 3] for frame in capture.frames])
    voxel_m = ROOM_VOXEL_M if float(np.ptp(places, axis=0).max()) > 0.5 * ROOM_M else VOXEL_M
    config = FusionConfig(voxel_m=voxel_m, truncation_m=4.0 * voxel_m)
    fused = fuse(capture.frames, config=config, colors=True).extract(
        min_weight=0.2 if len(capture.frames) == 1 else 1.0
    )
    planes, rest = remove_planes(fused, voxel_m=voxel_m)
    return Peer(objects=tuple(components(fused, rest)), flat=tuple(_named(planes, up)), fused=fused)


def plain_shapes(capture: Capture, truth: Truth) -> dict[str, Mesh]:
    """Return by object a plain TSDF of the pixels of its true mask; frames as in the capture's own order."""
    config = FusionConfig(voxel_m=VOXEL_M, truncation_m=4.0 * VOXEL_M, min_confidence=2)
    least = 0.2 if len(capture.frames) == 1 else 1.0
    ranks = {frame.index: rank for rank, frame in enumerate(capture.all_frames)}
    shapes = {}
    for name, masks in truth.masks.items():
        by_frame = {frame.index: masks[ranks[frame.index]] for frame in capture.frames if ranks[frame.index] in masks}
        shapes[name] = fuse(capture.frames, config=config, masks=by_frame).extract(min_weight=least)
    return shapes


def remove_planes(mesh: Mesh, *, voxel_m: float) -> tuple[list[tuple[Array, Mesh]], Array]:
    """Return planes as normal [3] and faces, and which faces are of none, bool [m]."""
    rng = np.random.default_rng(0)
    corners = mesh.vertices[mesh.faces]
    areas = mesh.triangle_areas_m2()
    normals = smooth_normals(mesh)
    centers = corners.mean(axis=1)
    rest = np.ones(len(mesh.faces), dtype=bool)
    planes: list[tuple[Array, Mesh]] = []
    reach = max(PLANE_M, 1.5 * voxel_m)
    while len(planes) < MAX_PLANES and rest.any():
        left = np.flatnonzero(rest)
        sparse_left = left[:: max(1, len(left) // 20_000)]
        weight = areas[left].sum() / max(areas[sparse_left].sum(), 1e-18)
        seeds = rng.choice(sparse_left, size=min(TRIALS, len(sparse_left)), replace=False)
        scores = [
            areas[sparse_left][
                _on_plane(centers[sparse_left], normals[sparse_left], centers[s], normals[s], reach)
            ].sum()
            for s in seeds
        ]
        best = seeds[int(np.argmax(scores))]
        if max(scores) * weight < LEAST_PLANE_M2:
            break
        near = left[_on_plane(centers[left], normals[left], centers[best], normals[best], reach)]
        middle = np.average(centers[near], axis=0, weights=areas[near])
        normal = np.linalg.svd((centers[near] - middle) * np.sqrt(areas[near])[:, None], full_matrices=False)[2][2]
        normal = normal * np.sign(normal @ normals[best])
        near = left[_on_plane(centers[left], normals[left], middle, normal, reach)]
        planes.append((normal, Mesh(vertices=mesh.vertices, faces=mesh.faces[near])))
        rest[left[np.abs((centers[left] - middle) @ normal) < reach]] = False
        rest[near] = False
    return planes, rest


def smooth_normals(mesh: Mesh) -> Array:
    """Return a unit normal of each face [m, 3], averaged over a patch some `2 · SMOOTHING_ROUNDS` edges wide.

    The facets of a fused surface tilt by the noise of a depth, which is as large as a voxel: no two lie in one plane.
    """
    corners = mesh.vertices[mesh.faces]
    facets = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    count, pairs = (
        len(mesh.vertices),
        np.concatenate([mesh.faces[:, [0, 1]], mesh.faces[:, [1, 2]], mesh.faces[:, ::2]]),
    )
    pairs = np.concatenate([pairs, pairs[:, ::-1], np.repeat(np.arange(count)[:, None], 2, axis=1)])
    neighbours = sparse.coo_matrix((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(count, count)).tocsr()
    of_faces = sparse.coo_matrix(
        (np.ones(mesh.faces.size), (mesh.faces.ravel(), np.repeat(np.arange(len(mesh.faces)), 3))),
        shape=(count, len(mesh.faces)),
    ).tocsr()
    by_vertex = of_faces @ facets
    for _ in range(SMOOTHING_ROUNDS):
        by_vertex = neighbours @ by_vertex
        by_vertex /= np.maximum(np.linalg.norm(by_vertex, axis=1, keepdims=True), 1e-18)
    normals = by_vertex[mesh.faces].sum(axis=1)
    return np.asarray(normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-18))


def components(mesh: Mesh, rest: Array) -> list[Mesh]:
    """Return the connected pieces of the faces of a mesh that `rest`, bool [m], selects, large ones."""
    faces = mesh.faces[rest]
    if not len(faces):
        return []
    pairs = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]]])
    graph = sparse.coo_matrix((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(len(mesh.vertices),) * 2)
    label = connected_components(graph, directed=False)[1][faces[:, 0]]
    pieces = []
    for number in np.unique(label):
        part = faces[label == number]
        used, renumbered = np.unique(part, return_inverse=True)
        vertices = mesh.vertices[used]
        if np.sort(np.ptp(vertices, axis=0))[1] >= LEAST_SIZE_M:
            pieces.append(Mesh(vertices=vertices, faces=renumbered.reshape(-1, 3).astype(np.int32)))
    return pieces


def _named(planes: list[tuple[Array, Mesh]], up: Array) -> list[FlatSurface]:
    """Return planes as the lowest level one (the floor), other level ones (tables) and upright ones (walls)."""
    level = [(float((mesh.vertices[mesh.faces].mean(axis=1) @ up).mean()), mesh) for n, mesh in planes if n @ up > 0.9]
    lowest = min((height for height, _ in level), default=0.0)
    walls = [FlatSurface(kind="wall", mesh=mesh) for normal, mesh in planes if abs(float(normal @ up)) < 0.2]
    return [
        *(FlatSurface(kind="floor" if height < lowest + 0.1 else "table", mesh=mesh) for height, mesh in level),
        *walls,
    ]


def _on_plane(centers: Array, normals: Array, point: Array, normal: Array, reach_m: float) -> Array:
    return np.asarray((np.abs((centers - point) @ normal) < reach_m) & (normals @ normal > SAME_NORMAL))
