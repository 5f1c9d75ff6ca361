"""Convex collision pieces: primitives where they fit, one hull where that is enough, else CoACD.

CoACD (Wei et al., SIGGRAPH 2022) runs in a child process with a deadline, on a simplified mesh. What
comes back is measured with exact booleans: the volume added, the volume lost, and how much of the
cavities stayed open, so that a bowl still holds a ball.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import manifold3d
import numpy as np
import trimesh
from scipy.spatial import cKDTree

from cousins.errors import StageError
from cousins.geometry import Array
from cousins.meshes import Mesh
from cousins.reconstruct.assets import Piece
from cousins.reconstruct.bisection import bisect
from cousins.reconstruct.primitives import fit_primitive

SIMPLIFIED_FACES = 2500
"""Faces that CoACD is given at most; its error does not fall further above this."""
SURFACE_SAMPLES = 20_000
"""Points that stand for the mesh's surface when distances are measured."""
HOLLOW_SHARE = 0.1
"""From this share of the convex hull on, the space that the mesh leaves free counts as a cavity."""


@dataclass(frozen=True, kw_only=True)
class CollisionConfig:
    """How tightly convex pieces hug a mesh."""

    max_hulls: int = 24
    """Most pieces kept per link."""
    concavity: float = 0.06
    """CoACD's threshold: largest concavity of a piece, relative to the object's size."""
    max_error_m: float = 0.004
    """Largest distance at which a primitive may stand for the mesh [m]."""
    max_error_share: float = 0.05
    """The same, relative to the object's middle extent."""
    max_volume_error: float = 0.08
    """Largest relative volume error at which a primitive or one hull is enough; scanned surfaces are rough."""
    min_cavity_kept: float = 0.7
    """Least share of a cavity's volume that must stay free."""
    deadline_s: float = 60.0
    """Wall-clock limit for CoACD [s]."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Collision:
    """Convex pieces with what they add and lose."""

    pieces: tuple[Piece, ...]
    """At least one."""
    method: str
    """`primitive`, `hull`, `coacd` or `bisection`."""
    volume_added: float
    """Volume of the pieces outside the mesh, relative to the mesh."""
    volume_lost: float
    """Volume of the mesh outside the pieces, relative to the mesh."""
    cavity_kept: float
    """Share of the cavities' volume that stays free; 1 for a solid without cavities."""
    max_error_m: float
    """Largest distance of a corner of a piece from the mesh's surface [m]."""
    fallbacks: tuple[str, ...]
    """What had to be replaced by something weaker, a sentence each."""


def decompose(mesh: Mesh, *, config: CollisionConfig | None = None, seed: int = 0) -> Collision:
    """Cover a watertight mesh [m] with convex pieces; raises `StageError` if it encloses no volume."""
    config = config or CollisionConfig()
    solid = _solid(mesh)
    if solid.status() != manifold3d.Error.NoError or solid.volume() <= 0.0:
        raise StageError("the mesh encloses no volume, so nothing can collide with it", stage="collision")
    primitive = fit_primitive(mesh, max_error_m=_allowed_error(mesh, config), max_volume_error=config.max_volume_error)
    if primitive:
        return _measured(solid, mesh, [_solid(primitive.mesh)], "primitive", (), pieces=(primitive,))
    hull = solid.hull()
    if hull.volume() / solid.volume() - 1.0 <= config.max_volume_error:
        return _measured(solid, mesh, [hull], "hull", ())
    return _decompose_concave(solid, mesh, config, seed)


def _allowed_error(mesh: Mesh, config: CollisionConfig) -> float:
    """Return the error [m] allowed to a primitive: less for what is small."""
    size = mesh.vertices.max(axis=0) - mesh.vertices.min(axis=0)
    return min(config.max_error_m, config.max_error_share * float(np.sort(size)[1]))


def _decompose_concave(solid: manifold3d.Manifold, mesh: Mesh, config: CollisionConfig, seed: int) -> Collision:
    """Try CoACD, finer if it closed a cavity, then bisection."""
    simple = simplify(solid, SIMPLIFIED_FACES)
    fallbacks: list[str] = []
    for concavity in (config.concavity, config.concavity / 2.0):
        try:
            hulls = _coacd(simple, config, concavity, seed)
        except StageError as error:
            fallbacks.append(f"{error}; split by planes instead")
            break
        result = _measured(solid, mesh, hulls, "coacd", ())
        if result.cavity_kept >= config.min_cavity_kept:
            return result
    result = _measured(solid, mesh, bisect(simple, max_pieces=config.max_hulls), "bisection", tuple(fallbacks))
    if fallbacks or result.cavity_kept >= config.min_cavity_kept:
        return result
    note = f"cavity only {result.cavity_kept:.0%} free in the collision pieces"
    return _measured(solid, mesh, hulls, "coacd", (note,))


def simplify(solid: manifold3d.Manifold, faces: int) -> manifold3d.Manifold:
    """Return the solid with at most about `faces` faces, still manifold, by doubling the tolerance [m]."""
    tolerance = 2.5e-4
    simple = solid.simplify(tolerance)
    while simple.num_tri() > faces and tolerance < 5e-3:
        tolerance *= 2.0
        simple = solid.simplify(tolerance)
    return solid if simple.is_empty() else simple


def _coacd(
    solid: manifold3d.Manifold, config: CollisionConfig, concavity: float, seed: int
) -> list[manifold3d.Manifold]:
    exported = solid.to_mesh()
    with tempfile.TemporaryDirectory() as scratch:
        source, target = Path(scratch) / "in.npz", Path(scratch) / "out.npz"
        np.savez(
            source,
            vertices=np.asarray(exported.vert_properties, dtype=np.float64)[:, :3],
            faces=np.asarray(exported.tri_verts, dtype=np.int32),
            threshold=concavity,
            max_hulls=config.max_hulls,
            seed=seed,
        )
        command = [sys.executable, "-m", "cousins.reconstruct.coacd_child", str(source), str(target)]
        try:
            child = subprocess.run(command, capture_output=True, timeout=config.deadline_s, check=False)
        except subprocess.TimeoutExpired as error:
            raise StageError(f"CoACD exceeded its {config.deadline_s:g} s", stage="collision") from error
        if child.returncode != 0 or not target.exists():
            raise StageError(f"CoACD ended with code {child.returncode}", stage="collision")
        with np.load(target, allow_pickle=False) as found:
            clouds = [found[f"arr_{number}"] for number in range(0, len(found.files), 2)]
    hulls = [manifold3d.Manifold.hull_points(cloud) for cloud in clouds]
    return [hull for hull in hulls if hull.volume() > 0.0]


def _measured(
    solid: manifold3d.Manifold,
    mesh: Mesh,
    hulls: list[manifold3d.Manifold],
    method: str,
    fallbacks: tuple[str, ...],
    *,
    pieces: tuple[Piece, ...] | None = None,
) -> Collision:
    cover = manifold3d.Manifold.batch_boolean(hulls, manifold3d.OpType.Add)
    hull = solid.hull()
    cavity = hull - solid
    hollow = cavity.volume() > HOLLOW_SHARE * hull.volume()
    kept = 1.0 - (cover ^ cavity).volume() / cavity.volume() if hollow else 1.0
    return Collision(
        pieces=pieces or tuple(hull_piece(_mesh(each)) for each in hulls),
        method=method,
        volume_added=(cover - solid).volume() / solid.volume(),
        volume_lost=(solid - cover).volume() / solid.volume(),
        cavity_kept=kept,
        max_error_m=_distance(mesh, np.concatenate([_mesh(each).vertices for each in hulls])),
        fallbacks=fallbacks,
    )


def hull_piece(mesh: Mesh) -> Piece:
    """Return a convex mesh as a collision piece."""
    size = mesh.vertices.max(axis=0) - mesh.vertices.min(axis=0)
    return Piece(kind="mesh", mesh=mesh, link_from_piece=np.eye(4), size_m=size)


def _solid(mesh: Mesh) -> manifold3d.Manifold:
    welded = manifold3d.Mesh64(
        vert_properties=np.asarray(mesh.vertices, dtype=np.float64), tri_verts=np.asarray(mesh.faces, dtype=np.uint64)
    )
    welded.merge()
    return manifold3d.Manifold(welded)


def _mesh(solid: manifold3d.Manifold) -> Mesh:
    exported = solid.to_mesh64()
    return Mesh(
        vertices=np.asarray(exported.vert_properties, dtype=np.float64)[:, :3].copy(),
        faces=np.asarray(exported.tri_verts, dtype=np.int32).copy(),
    )


def _distance(mesh: Mesh, points: Array) -> float:
    """Return the largest distance [m] of points from the mesh's surface, by a dense sample of it."""
    surface, _ = trimesh.sample.sample_surface(mesh.to_trimesh(), SURFACE_SAMPLES, seed=0)
    distance, _ = cKDTree(np.concatenate([surface, mesh.vertices])).query(points)
    return float(distance.max())
