"""Convex collision pieces: primitives where they fit, one hull where that is enough, else CoACD.

CoACD (Wei et al., SIGGRAPH 2022) runs in a child process on a simplified mesh, with a fixed number of search steps. The
result is measured with exact booleans: the volume added, the volume lost, and how much of the cavities
stayed open, so that a bowl still holds a ball.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import manifold3d
import numpy as np
import trimesh
from scipy.spatial import cKDTree

from cousins.child_processes import bound_command
from cousins.errors import ResourceError, StageError
from cousins.geometry import Array
from cousins.meshes import Mesh
from cousins.reconstruct.assets import Piece
from cousins.reconstruct.collision.bisection import bisect_solid
from cousins.reconstruct.collision.decimate import decimate_mesh
from cousins.reconstruct.collision.primitives import fit_primitive
from cousins.reconstruct.collision.solids import mesh_of, simplify, solid_of, thickness_m

SIMPLIFIED_FACES = 1200
"""Faces of CoACD's input mesh; its error does not fall further above this."""
MAX_SIMPLIFIED_FACES = 5000
"""Largest number of faces of CoACD's input, where fewer would lose a thin part."""
MAX_SIMPLIFIED_VOLUME_CHANGE = 0.05
"""Largest relative change of the volume by that simplification."""
MIN_PIECE_THICKNESS_M = 1e-4
"""Smallest thickness of a piece [m], a tenth of the allowed overlap; thinner ones destabilise engines."""
MIN_HULL_BUDGET = 4
"""Number of pieces that even the smallest object may have."""
SURFACE_SAMPLES = 20_000
"""Number of surface samples for distance measurements."""
MIN_CAVITY_SHARE = 0.1
"""Share of the convex hull from which the space that the mesh leaves free is a cavity."""


@dataclass(frozen=True, kw_only=True)
class CollisionConfig:
    """How tightly convex pieces approximate a mesh."""

    max_hulls: int = 24
    """Largest number of pieces per link."""
    hull_each_m: float = 0.005
    """An object may have a piece for each such length of its longest side [m], up to `max_hulls`: dents that a
    phone's depth noise leaves in small things are no parts."""
    concavity: float = 0.06
    """CoACD's threshold: largest concavity of a piece, relative to half of the object's longest side."""
    min_concavity_m: float = 0.005
    """The same at least, as a length [m]: what is left of a phone's depth noise, twice."""
    max_error_m: float = 0.004
    """Largest distance at which a primitive may replace the mesh [m]."""
    max_error_share: float = 0.05
    """The same, relative to the object's middle extent."""
    max_volume_error: float = 0.08
    """Largest relative volume error at which a primitive or one hull is enough; scanned surfaces are rough."""
    max_gap_m: float = 0.0015
    """One hull is also enough where it adds no thicker a layer than this on average [m], under a phone's noise, ..."""
    max_gap_volume: float = 0.15
    """... and no more than this relative volume."""
    min_cavity_kept: float = 0.7
    """Least share of a cavity's volume that must stay free."""
    max_cpu_s: int = 600
    """Limit of CoACD's CPU time [s], whole seconds. Its work is bounded by the faces of its input and its search steps,
    some 60 s at most; this ends a process that hangs. It is no wall-clock time, so a busy machine changes no result."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ConvexDecomposition:
    """Convex pieces of a mesh with the volume that they add and lose."""

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
    """Fallbacks that were used, one sentence each."""


def decompose(mesh: Mesh, *, config: CollisionConfig | None = None, seed: int = 0) -> ConvexDecomposition:
    """Return convex pieces that cover a watertight mesh [m]; raises `StageError` if it has no volume or is a film."""
    config = config or CollisionConfig()
    solid = solid_of(mesh)
    if solid.status() != manifold3d.Error.NoError or solid.volume() <= 0.0:
        raise StageError("the mesh encloses no volume, so nothing can collide with it", stage="collision")
    hull = solid.hull()
    if thickness_m(hull) < MIN_PIECE_THICKNESS_M:
        raise StageError(f"the mesh is {1e3 * thickness_m(hull):.3f} mm thick: a film, not a body", stage="collision")
    primitive = fit_primitive(
        mesh, max_error_m=_max_primitive_error_m(mesh, config), max_volume_error=config.max_volume_error
    )
    if primitive:
        return _measure_cover(solid, mesh, [solid_of(primitive.mesh)], "primitive", (), pieces=(primitive,))
    added = hull.volume() - solid.volume()
    if added <= config.max_volume_error * solid.volume() or (
        added <= config.max_gap_m * solid.surface_area() and added <= config.max_gap_volume * solid.volume()
    ):
        return _measure_cover(solid, mesh, [hull], "hull", ())
    return _decompose_concave(solid, mesh, config, seed)


def _max_primitive_error_m(mesh: Mesh, config: CollisionConfig) -> float:
    """Return the error [m] allowed to a primitive: less for what is small."""
    size = mesh.vertices.max(axis=0) - mesh.vertices.min(axis=0)
    return min(config.max_error_m, config.max_error_share * float(np.sort(size)[1]))


def _decompose_concave(
    solid: manifold3d.Manifold, mesh: Mesh, config: CollisionConfig, seed: int
) -> ConvexDecomposition:
    """Return pieces by CoACD, finer and more of them if it closed a cavity, else by bisection."""
    simple = solid_of(decimate_mesh(mesh, faces=SIMPLIFIED_FACES, max_volume_change=MAX_SIMPLIFIED_VOLUME_CHANGE))
    simple = simple if simple.num_tri() <= MAX_SIMPLIFIED_FACES else simplify(solid, MAX_SIMPLIFIED_FACES)
    longest_m = float(np.ptp(mesh.vertices, axis=0).max())
    concavity = max(config.concavity, 2.0 * config.min_concavity_m / longest_m)
    budget = min(config.max_hulls, max(MIN_HULL_BUDGET, round(longest_m / config.hull_each_m)))
    fallbacks: list[str] = []
    for threshold, hulls in ((concavity, budget), (concavity / 2.0, config.max_hulls)):
        try:
            hulls_found = _coacd(simple, config, threshold, hulls, seed)
        except StageError as error:
            fallbacks.append(f"{error}; split by planes instead")
            break
        decomposition = _measure_cover(solid, mesh, hulls_found, "coacd", ())
        if decomposition.cavity_kept >= config.min_cavity_kept:
            return decomposition
    split = _without_films(bisect_solid(simple, max_pieces=config.max_hulls)) or [solid.hull()]
    halves = _measure_cover(solid, mesh, split, "bisection", tuple(fallbacks))
    if fallbacks or halves.cavity_kept >= config.min_cavity_kept:
        return halves
    note = f"cavity only {decomposition.cavity_kept:.0%} free in the collision pieces"
    return replace(decomposition, fallbacks=(note,))


def _without_films(hulls: list[manifold3d.Manifold]) -> list[manifold3d.Manifold]:
    """Return the hulls that have the minimum thickness."""
    return [hull for hull in hulls if thickness_m(hull) >= MIN_PIECE_THICKNESS_M]


def _coacd(
    solid: manifold3d.Manifold, config: CollisionConfig, concavity: float, max_hulls: int, seed: int
) -> list[manifold3d.Manifold]:
    exported = solid.to_mesh()
    with tempfile.TemporaryDirectory() as scratch:
        source, target = Path(scratch) / "in.npz", Path(scratch) / "out.npz"
        np.savez(
            source,
            vertices=np.asarray(exported.vert_properties, dtype=np.float64)[:, :3],
            faces=np.asarray(exported.tri_verts, dtype=np.int32),
            threshold=concavity,
            max_hulls=max_hulls,
            seed=seed,
            max_cpu_s=config.max_cpu_s,
        )
        command = [sys.executable, "-m", "cousins.reconstruct.collision.coacd_worker", str(source), str(target)]
        child = subprocess.run(bound_command(command), capture_output=True, check=False)
        if child.returncode == -signal.SIGXCPU:
            raise StageError(f"CoACD exceeded its {config.max_cpu_s} s of CPU time", stage="collision")
        if child.returncode == os.EX_IOERR:
            raise _scratch_error(scratch, child.stderr)
        if child.returncode != 0 or not target.exists():
            raise StageError(f"CoACD ended with code {child.returncode}", stage="collision")
        with np.load(target, allow_pickle=False) as arrays:
            clouds = [arrays[f"arr_{number}"] for number in range(0, len(arrays.files), 2)]
    hulls = _without_films([manifold3d.Manifold.hull_points(cloud) for cloud in clouds])
    if not hulls:
        raise StageError("CoACD left no piece with a volume", stage="collision")
    return hulls


def _scratch_error(scratch: str, log: bytes) -> ResourceError:
    """Return the error of a full or broken disk: another decomposition would be another result."""
    return ResourceError(
        f"no way to write temporary files at {scratch!r} ({log.decode(errors='replace').strip()[-200:]})",
        expected="room on the disk of temporary files",
        hint="Free some space there, or set TMPDIR to a folder on another disk. Then type the same command again.",
    )


def _measure_cover(
    solid: manifold3d.Manifold,
    mesh: Mesh,
    hulls: list[manifold3d.Manifold],
    method: str,
    fallbacks: tuple[str, ...],
    *,
    pieces: tuple[Piece, ...] | None = None,
) -> ConvexDecomposition:
    cover = manifold3d.Manifold.batch_boolean(hulls, manifold3d.OpType.Add)
    hull = solid.hull()
    cavity = hull - solid
    hollow = cavity.volume() > MIN_CAVITY_SHARE * hull.volume()
    cavity_kept = 1.0 - (cover ^ cavity).volume() / cavity.volume() if hollow else 1.0
    return ConvexDecomposition(
        pieces=pieces or tuple(hull_piece(mesh_of(each)) for each in hulls),
        method=method,
        volume_added=(cover - solid).volume() / solid.volume(),
        volume_lost=(solid - cover).volume() / solid.volume(),
        cavity_kept=cavity_kept,
        max_error_m=_max_distance_m(mesh, np.concatenate([mesh_of(each).vertices for each in hulls])),
        fallbacks=fallbacks,
    )


def hull_piece(mesh: Mesh) -> Piece:
    """Return a convex mesh as a collision piece."""
    size = mesh.vertices.max(axis=0) - mesh.vertices.min(axis=0)
    return Piece(kind="mesh", mesh=mesh, link_from_piece=np.eye(4), size_m=size)


def _max_distance_m(mesh: Mesh, points: Array) -> float:
    """Return the largest distance [m] of points [n, 3] from the mesh's surface, by a dense sample of it."""
    surface, _ = trimesh.sample.sample_surface(mesh.to_trimesh(), SURFACE_SAMPLES, seed=0)
    distance, _ = cKDTree(np.concatenate([surface, mesh.vertices])).query(points)
    return float(distance.max())
