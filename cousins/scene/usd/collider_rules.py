"""Distance between the colliders and the visual meshes of each body on a stage."""

from __future__ import annotations

from typing import Final

import numpy as np
from pxr import Usd, UsdGeom, UsdPhysics
from scipy.spatial import ConvexHull, QhullError, cKDTree

from cousins.findings import Finding
from cousins.geometry import Array, transform
from cousins.scene.usd.reader import owner_body, world_from_prim

MAX_GAP_M: Final = 0.01
"""A collider this far from the looks lets a gripper close on air or stop short of the surface [m]."""
MAX_GAP_FRACTION: Final = 0.05
"""The same as a share of the body's diagonal; the larger of the two counts."""
DISTANCE_PERCENTILE: Final = 95.0
"""Percentile of distances that is judged; a handle's tip may stick out."""
TOUCHING_FRACTION: Final = 0.1
"""Pieces nearer to each other than this share of the limit are cuts through one solid."""
SURFACE_SAMPLES: Final = 4000
"""Points taken from the looks of a body."""


def check_collider_fit(stage: Usd.Stage) -> list[Finding]:
    """Return a finding for each rigid body whose colliders are far from its visual meshes, either way."""
    looks: dict[str, list[Array]] = {}
    hulls: dict[str, list[Array]] = {}
    for prim in stage.Traverse(Usd.TraverseInstanceProxies()):
        owner = owner_body(prim) if prim.IsA(UsdGeom.Gprim) else None
        if owner is None:
            continue
        path = str(owner.GetPath())
        if prim.HasAPI(UsdPhysics.CollisionAPI):
            hulls.setdefault(path, []).append(_collider_points(prim))
        if UsdGeom.Imageable(prim).ComputePurpose() in ("default", "render") and prim.IsA(UsdGeom.Mesh):
            looks.setdefault(path, []).append(_surface_points(prim))
    metres = UsdGeom.GetStageMetersPerUnit(stage)
    return [
        finding
        for path in sorted(hulls)
        for finding in _gap_findings(
            path, _finite_in_metres(looks.get(path, []), metres), _finite_in_metres(hulls[path], metres)
        )
    ]


def _finite_in_metres(parts: list[Array], metres: float) -> list[Array]:
    """Return points in metres; what is not finite is left out."""
    return [part[np.isfinite(part).all(axis=1)] * metres for part in parts]


def _gap_findings(path: str, looks: list[Array], hulls: list[Array]) -> list[Finding]:
    visual_points = np.concatenate(looks) if looks else np.zeros((0, 3))
    solids = [(points, equations) for points in hulls if (equations := _hull_equations(points)) is not None]
    pieces = [equations for _, equations in solids]
    if len(visual_points) == 0 or not pieces:
        return []
    limit = max(MAX_GAP_M, MAX_GAP_FRACTION * float(np.linalg.norm(np.ptp(visual_points, axis=0))))
    outside = np.min([(visual_points @ plane[:, :3].T + plane[:, 3]).max(axis=1) for plane in pieces], axis=0)
    uncovered_m = float(np.percentile(np.maximum(outside, 0.0), DISTANCE_PERCENTILE))
    corners = _outer_corners(solids, TOUCHING_FRACTION * limit)
    protruding_m = (
        float(np.percentile(cKDTree(visual_points).query(corners)[0], DISTANCE_PERCENTILE)) if len(corners) else 0.0
    )
    findings = []
    for gap, description in (
        (uncovered_m, "of the looks lie that far outside"),
        (protruding_m, "of the colliders' corners lie that far from"),
    ):
        if gap > limit:
            other = "the colliders" if description.startswith("of the looks") else "the looks"
            findings.append(
                Finding(
                    rule="collider-far-from-looks",
                    severity="warning",
                    where=path,
                    message=f"{1000.0 * gap:.1f} mm: {100.0 - DISTANCE_PERCENTILE:.0f} % {description} {other}"
                    f" (limit {1000.0 * limit:.1f} mm)",
                    fix="Decompose the mesh into more convex pieces.",
                )
            )
    return findings


def _outer_corners(solids: list[tuple[Array, Array]], reach_m: float) -> Array:
    """Return the corners [n, 3] of pieces that no other piece holds or touches: inner ones lie deep in the looks."""
    corners = [np.zeros((0, 3))]
    for index, (points, _) in enumerate(solids):
        other_planes = [planes for other, (_, planes) in enumerate(solids) if other != index]
        is_apart = [(points @ planes[:, :3].T + planes[:, 3]).max(axis=1) > reach_m for planes in other_planes]
        corners.append(points[np.all(is_apart, axis=0)] if is_apart else points)
    return np.concatenate(corners)


def _hull_equations(points: Array) -> Array | None:
    try:
        return np.asarray(ConvexHull(points).equations)
    except (QhullError, ValueError):
        return None


def _collider_points(prim: Usd.Prim) -> Array:
    """Return points whose convex hull is the collider, in the world [m] [n, 3]."""
    if prim.IsA(UsdGeom.Mesh):
        local = _raw_points(UsdGeom.Mesh(prim))
    else:
        extent = UsdGeom.Boundable.ComputeExtentFromPlugins(UsdGeom.Boundable(prim), Usd.TimeCode.Default())
        if extent is None or len(extent) != 2:
            return np.zeros((0, 3))
        low, high = np.array(extent, dtype=np.float64)
        local = _primitive_points(prim, low, high)
    return transform(world_from_prim(prim), local)


def _primitive_points(prim: Usd.Prim, low: Array, high: Array) -> Array:
    middle, half = (low + high) / 2.0, (high - low) / 2.0
    if prim.IsA(UsdGeom.Cube):
        signs = np.stack(np.meshgrid([-1, 1], [-1, 1], [-1, 1], indexing="ij"), axis=-1).reshape(-1, 3)
        return np.asarray(middle + signs * half)
    index = np.arange(200) + 0.5
    polar, turn = np.arccos(1.0 - 2.0 * index / 200.0), np.pi * (1.0 + np.sqrt(5.0)) * index
    points = np.stack([np.cos(turn) * np.sin(polar), np.sin(turn) * np.sin(polar), np.cos(polar)], axis=1)
    if prim.IsA(UsdGeom.Cylinder):
        axis = {"X": 0, "Y": 1, "Z": 2}.get(UsdGeom.Cylinder(prim).GetAxisAttr().Get(), 2)
        points[:, axis] = np.sign(points[:, axis])
        across = [i for i in range(3) if i != axis]
        points[:, across] /= np.maximum(np.linalg.norm(points[:, across], axis=1, keepdims=True), 1e-9)
    return np.asarray(middle + points * half)


def _surface_points(prim: Usd.Prim) -> Array:
    """Return up to `SURFACE_SAMPLES` points on a mesh, in the world [m] [n, 3]: corners and middles of its faces."""
    mesh = UsdGeom.Mesh(prim)
    points = transform(world_from_prim(prim), _raw_points(mesh))
    counts = np.array(mesh.GetFaceVertexCountsAttr().Get() or [], dtype=np.int64)
    indices = np.array(mesh.GetFaceVertexIndicesAttr().Get() or [], dtype=np.int64)
    is_valid = len(points) > 0 and len(indices) == counts.sum() and not np.any(counts < 3)
    if not is_valid or np.any((indices < 0) | (indices >= len(points))) or not np.isfinite(points).all():
        return points
    triangles = points[_fan_triangles(counts, indices)]
    areas = np.linalg.norm(np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]), axis=1)
    if not 0.0 < areas.sum() < np.inf:
        return points
    rng = np.random.default_rng(0)
    sampled_triangles = triangles[rng.choice(len(triangles), size=SURFACE_SAMPLES, p=areas / areas.sum())]
    barycentric = rng.dirichlet(np.ones(3), size=SURFACE_SAMPLES)
    return np.asarray(np.einsum("nk,nkd->nd", barycentric, sampled_triangles))


def _raw_points(mesh: UsdGeom.Mesh) -> Array:
    return np.array(mesh.GetPointsAttr().Get() or [], dtype=np.float64).reshape(-1, 3)


def _fan_triangles(counts: Array, indices: Array) -> Array:
    """Return triangles [m, 3] of polygons given as USD gives them."""
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    if np.all(counts == 3):
        return indices.reshape(-1, 3)
    return np.array(
        [
            [indices[start], indices[start + i], indices[start + i + 1]]
            for start, count in zip(starts.tolist(), counts.tolist(), strict=True)
            for i in range(1, count - 1)
        ]
    )
