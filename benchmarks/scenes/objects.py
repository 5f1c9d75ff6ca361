"""Scanned objects with known shape: loading, rest poses, the true outer surface, and distances to it.

The *true outer surface* of a mesh is the part that can be seen from far away: points are sampled
uniformly over the mesh and kept where at least one of 192 directions over the whole sphere (also from
below) sees them in a depth map. What is buried inside (inner shells of a scan) is no part of it; the
inside of a mug is, because one can look into it.

Its *volume* is what that surface encloses: the space that air flooding in from all sides, also from below,
cannot reach. That is the volume of the object's material and sealed hollows, what displaces water and what
mass follows from, so a bell or the foot ring of a bowl is hollow although no view of the standing object
can look under it. A rebuilt object that fills such hollows has too much volume, and is counted so.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import trimesh
from PIL import Image
from scipy import ndimage
from scipy.spatial import cKDTree

from cousins.geometry import Array, Intrinsics, invert, look_at, project, rigid, transform
from cousins.meshes import Mesh
from cousins.raster import render

DIRECTIONS = 192
"""Views that decide what is outside."""
MAP_PX = 384
"""Size of their depth maps [px]."""
DENSE = 200_000
"""Points that stand for a surface when distances to it are taken."""
SAMPLES = 30_000
"""Points of a surface from which distances are taken."""
VOLUME_VOXEL_M = 0.001
"""Voxel of the flood fill [m]."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class TrueObject:
    """An object and its outer surface in its own frame."""

    name: str
    """Name of its folder."""
    mesh: Mesh
    """The mesh as published."""
    surface: Array
    """Points of the outer surface [m], [n, 3]."""
    volume_m3: float
    """Volume that the outer surface encloses [m³]."""


def load_objects(folder: Path, names: Iterable[str] | None = None) -> list[TrueObject]:
    """Load every object folder (model.obj, texture.png) below a folder, in the order of their names."""
    folders = sorted(path.parent for path in folder.glob("*/model.obj"))
    selected = None if names is None else set(names)
    if not folders:
        raise SystemExit(f"no */model.obj in {folder}: give a folder of object folders with --objects")
    return [true_object(path.name, load_mesh(path)) for path in folders if selected is None or path.name in selected]


def load_mesh(folder: Path) -> Mesh:
    """Read model.obj and texture.png: triangles and texture coordinates, metres as they are."""
    positions, coordinates, corners = [], [], []
    for line in (folder / "model.obj").read_text().splitlines():
        kind, _, rest = line.partition(" ")
        if kind == "v":
            positions.append(rest.split()[:3])
        elif kind == "vt":
            coordinates.append(rest.split()[:2])
        elif kind == "f":
            ring = [corner.split("/") for corner in rest.split()]
            for second, third in pairwise(ring[1:]):
                corners += [ring[0], second, third]
    places = np.array([int(corner[0]) for corner in corners]) - 1
    textured = all(len(corner) > 1 and corner[1] for corner in corners) and (folder / "texture.png").exists()
    spots = np.array([int(corner[1]) for corner in corners]) - 1 if textured else np.zeros_like(places)
    pairs, faces = np.unique(np.stack([places, spots], axis=1), axis=0, return_inverse=True)
    texture = None
    if textured:
        with Image.open(folder / "texture.png") as image:
            texture = np.asarray(image.convert("RGB"))
    return Mesh(
        vertices=np.array(positions, dtype=np.float64)[pairs[:, 0]],
        faces=faces.reshape(-1, 3).astype(np.int32),
        uv=np.array(coordinates, dtype=np.float64)[pairs[:, 1]] if textured else None,
        texture=texture,
    )


def true_object(name: str, mesh: Mesh) -> TrueObject:
    """Measure an object once, in its own frame."""
    surface = outer_surface(mesh, count=2 * DENSE, rng=np.random.default_rng(0))
    return TrueObject(name=name, mesh=mesh, surface=surface, volume_m3=outer_volume(mesh))


def outer_surface(mesh: Mesh, *, count: int, rng: np.random.Generator) -> Array:
    """Return those of `count` uniform samples [n, 3] that are seen from outside."""
    points = sample(mesh, count, rng=rng)
    centre = 0.5 * (mesh.vertices.min(axis=0) + mesh.vertices.max(axis=0))
    radius = float(np.linalg.norm(mesh.vertices - centre, axis=1).max()) * 1.02
    distance = 40.0 * radius
    focal = 0.5 * MAP_PX * distance / radius
    middle = 0.5 * (MAP_PX - 1)
    camera = Intrinsics(width=MAP_PX, height=MAP_PX, fx=focal, fy=focal, cx=middle, cy=middle)
    slack = 1.5 * radius / MAP_PX
    is_visible = np.zeros(len(points), dtype=bool)
    for direction in sphere(DIRECTIONS):
        pose = look_at(centre + distance * direction, centre)
        depth = render([mesh], camera, pose).depth_m
        rest = np.flatnonzero(~is_visible)
        pixels, z = project(transform(invert(pose), points[rest]), camera)
        column, row = np.rint(pixels).astype(int).T
        hit = depth[row.clip(0, MAP_PX - 1), column.clip(0, MAP_PX - 1)]
        is_visible[rest[z <= hit + slack]] = True
    return points[is_visible]


def outer_volume(mesh: Mesh, *, voxel_m: float = VOLUME_VOXEL_M) -> float:
    """Return the volume [m³] that flooding from outside cannot reach.

    Voxels that the surface crosses stop the flood; of those that the flood touches, half counts as inside
    (the surface cuts them in the middle on average). Gaps under a voxel are closed by that.
    """
    points = _lattice(mesh.vertices[mesh.faces], 0.45 * voxel_m)
    origin = points.min(axis=0) - 2.5 * voxel_m
    cells = ((points - origin) / voxel_m).astype(int)
    shell = np.zeros(tuple(cells.max(axis=0) + 3), dtype=bool)
    shell[tuple(cells.T)] = True
    regions, _ = ndimage.label(~shell)
    outside = regions == regions[0, 0, 0]
    rim = shell & ndimage.binary_dilation(outside, ndimage.generate_binary_structure(3, 3))
    return float((np.count_nonzero(~outside) - 0.5 * np.count_nonzero(rim)) * voxel_m**3)


def rest_poses(mesh: Mesh, *, least_share: float = 0.02) -> list[tuple[Array, float]]:
    """Return the poses (object standing on z = 0 about the z axis) in which it rests, likeliest first.

    Each comes with the share of random throws that would end in it.
    """
    hull = mesh.to_trimesh().convex_hull
    poses, shares = trimesh.poses.compute_stable_poses(hull, sigma=0.0, n_samples=1, threshold=least_share)
    rests = []
    for pose, share in zip(poses, shares, strict=True):
        points = transform(pose, mesh.vertices)
        low, high = points.min(axis=0), points.max(axis=0)
        shift = np.array([-0.5 * (low[0] + high[0]), -0.5 * (low[1] + high[1]), -low[2]])
        rests.append((rigid(None, shift) @ pose, float(share)))
    return rests


def upright_pose(mesh: Mesh) -> Array:
    """Return the rest pose in which the object's own z axis points up, or the likeliest one if it falls over."""
    rests = rest_poses(mesh, least_share=0.0)
    upright = [pose for pose, _ in rests if pose[2, 2] > np.cos(np.deg2rad(12.0))]
    return upright[0] if upright else rests[0][0]


def sample(mesh: Mesh, count: int, *, rng: np.random.Generator) -> Array:
    """Return points spread uniformly over the area of a mesh [m], [count, 3]."""
    corners = mesh.vertices[mesh.faces]
    areas = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    total = np.cumsum(areas)
    picked = np.searchsorted(total, (np.arange(count) + rng.uniform(size=count)) / count * total[-1])
    picked = np.minimum(picked, len(areas) - 1)
    a, b = rng.uniform(size=(2, count))
    flip = a + b > 1.0
    a, b = np.where(flip, 1.0 - a, a), np.where(flip, 1.0 - b, b)
    first, second, third = (corners[picked, k] for k in range(3))
    return np.asarray(first + a[:, None] * (second - first) + b[:, None] * (third - first))


def sphere(count: int) -> Array:
    """Return unit vectors [count, 3] spread evenly (Fibonacci spiral)."""
    rank = np.arange(count) + 0.5
    z = 1.0 - 2.0 * rank / count
    turn = rank * np.pi * (3.0 - np.sqrt(5.0))
    across = np.sqrt(1.0 - z**2)
    return np.stack([across * np.cos(turn), across * np.sin(turn), z], axis=1)


@dataclass(frozen=True, kw_only=True)
class Match:
    """Distances between a surface and the truth."""

    chamfer_mm: float
    """Mean of the two directions' mean distance [mm]."""
    to_truth_mm: float
    """Mean distance from ours to the truth [mm]: what is there too much."""
    to_ours_mm: float
    """Mean distance from the truth to ours [mm]: what is missing."""
    f10mm: float
    """F-score at 10 mm: harmonic mean of the shares of both directions within it."""
    f5mm: float
    """F-score at 5 mm."""


def compare(mesh: Mesh, truth: Array, *, rng: np.random.Generator) -> Match:
    """Compare a mesh with points [n, 3] of the true outer surface, both in one frame, without aligning them.

    Distances run from SAMPLES points of the one to DENSE points of the other, so that the spacing of the
    points adds about a fifth of a millimetre and no more.
    """
    dense = truth[rng.permutation(len(truth))[:DENSE]]
    to_truth, _ = cKDTree(dense).query(sample(mesh, SAMPLES, rng=rng), workers=2)
    to_mesh, _ = cKDTree(sample(mesh, DENSE, rng=rng)).query(dense[:SAMPLES], workers=2)
    return Match(
        chamfer_mm=500.0 * float(to_truth.mean() + to_mesh.mean()),
        to_truth_mm=1000.0 * float(to_truth.mean()),
        to_ours_mm=1000.0 * float(to_mesh.mean()),
        f10mm=_f_score(to_truth, to_mesh, 0.010),
        f5mm=_f_score(to_truth, to_mesh, 0.005),
    )


def missed(truth: Array) -> Match:
    """Return what an object counts as that was not found: half its diagonal away, nothing matched."""
    far = 500.0 * float(np.linalg.norm(truth.max(axis=0) - truth.min(axis=0)))
    return Match(chamfer_mm=far, to_truth_mm=far, to_ours_mm=far, f10mm=0.0, f5mm=0.0)


def aligned(mesh: Mesh, truth: Array, *, rng: np.random.Generator) -> Mesh:
    """Return our mesh moved rigidly onto the truth [n, 3] by point-to-point ICP.

    Separates errors of pose from errors of shape.
    """
    tree = cKDTree(truth[rng.permutation(len(truth))[:50_000]])
    points = sample(mesh, 6000, rng=rng)
    total = np.eye(4)
    for _ in range(40):
        moved = transform(total, points)
        distance, index = tree.query(moved, workers=2)
        inliers = distance <= np.quantile(distance, 0.85)
        source, target = moved[inliers], np.asarray(tree.data)[index[inliers]]
        middle, aim = source.mean(axis=0), target.mean(axis=0)
        u, _, vt = np.linalg.svd((source - middle).T @ (target - aim))
        rotation = vt.T @ np.diag([1.0, 1.0, np.sign(np.linalg.det(vt.T @ u.T))]) @ u.T
        total = rigid(rotation, aim - rotation @ middle) @ total
    return mesh.transformed(total)


def _f_score(to_truth: Array, to_mesh: Array, limit_m: float) -> float:
    precision, recall = float((to_truth <= limit_m).mean()), float((to_mesh <= limit_m).mean())
    return 2.0 * precision * recall / (precision + recall) if precision + recall > 0.0 else 0.0


def _lattice(corners: Array, step_m: float) -> Array:
    """Return points on triangles [m, 3, 3], none farther than `step_m` from the next along an edge, [n, 3]."""
    edges = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2).max(axis=1)
    cuts = np.maximum(np.ceil(edges / step_m), 1).astype(int)
    parts = []
    for cut in np.unique(cuts):
        i, j = np.meshgrid(np.arange(cut + 1), np.arange(cut + 1), indexing="ij")
        inside = i + j <= cut
        weights = np.stack([i[inside], j[inside], cut - i[inside] - j[inside]], axis=1) / cut
        parts.append(np.einsum("nk,mkd->mnd", weights, corners[cuts == cut]).reshape(-1, 3))
    return np.concatenate(parts)
