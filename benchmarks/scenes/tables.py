"""Tables with known objects on them: alone upright, and in clutter of five, some close and on their sides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial import ConvexHull, cKDTree

from cousins.geometry import Array, rigid, rotation_about, transform
from cousins.meshes import Mesh
from cousins.segment.segments import Plane
from scenes.objects import TrueObject, rest_poses, upright_pose
from sim.synthetic import primitives, procedural_textures
from sim.synthetic.phone import PhoneBody, PhoneConfig, PhoneWorld

TABLE_HEIGHT_M = 0.74
"""Height of the table top [m]."""
GAPS_M = (0.003, 0.03)
"""Least gaps between outlines, in turn: nearly touching, and apart [m]."""
QUICK = 4
"""Objects that a quick run sees alone."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Setting:
    """One table with objects on it."""

    name: str
    """`alone ...` or `clutter ...`."""
    world: PhoneWorld
    """What the phone sees."""
    surfaces: dict[str, Array]
    """True outer surface by object in the world [m], [n, 3]."""
    volumes_m3: dict[str, float]
    """True volume by object [m³]."""
    phone: PhoneConfig
    """How the phone walks."""


def settings(objects: Sequence[TrueObject], *, quick: bool, seed: int) -> list[Setting]:
    """Return the tables to be captured: every object alone, and every object in some clutter of five."""
    frames = 60 if quick else 90
    alone = objects[:: max(1, len(objects) // QUICK)][:QUICK] if quick else objects
    tables = []
    for number, obj in enumerate(alone):
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0, number)))
        phone = PhoneConfig(frames=frames, radius_m=(0.4, 0.75))
        tables.append(_setting(f"alone {obj.name}", [obj], phone, rng))
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(1,)))
    order = rng.permutation(len(objects))
    size = min(5, len(objects))
    for number, start in enumerate(range(0, len(objects), size)):
        picked = [objects[order[k % len(objects)]] for k in range(start, start + size)]
        clutter_rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(2, number)))
        phone = PhoneConfig(frames=frames, radius_m=(0.5, 0.95))
        tables.append(_setting(f"clutter {number}", picked, phone, clutter_rng))
        if quick:
            break
    return tables


def crowd(objects: Sequence[TrueObject], *, size: int, number: int, frames: int, seed: int) -> Setting:
    """Return one table with so many of the objects close together, another draw for each number."""
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(3, number)))
    picked = [objects[k] for k in rng.permutation(len(objects))[:size]]
    return _setting(f"crowd {number}", picked, PhoneConfig(frames=frames, radius_m=(0.6, 1.0)), rng)


def table_plane() -> Plane:
    """Return the table top as a segmenter would report it."""
    corners = np.array([[-0.7, -0.5], [0.7, -0.5], [0.7, 0.5], [-0.7, 0.5]])
    return Plane(
        name="table",
        kind="table",
        normal=np.array([0.0, 0.0, 1.0]),
        offset_m=TABLE_HEIGHT_M,
        outline=np.column_stack([corners, np.full(4, TABLE_HEIGHT_M)]),
    )


def _setting(name: str, objects: Sequence[TrueObject], phone: PhoneConfig, rng: np.random.Generator) -> Setting:
    poses = _arranged(objects, rng)
    bodies = tuple(
        PhoneBody(name=obj.name, label=obj.name, mesh=obj.mesh, world_from_body=pose)
        for obj, pose in zip(objects, poses, strict=True)
    )
    return Setting(
        name=name,
        world=PhoneWorld(bodies=bodies, structures=_table(rng), name=name.replace(" ", "-")),
        surfaces={obj.name: transform(pose, obj.surface) for obj, pose in zip(objects, poses, strict=True)},
        volumes_m3={obj.name: obj.volume_m3 for obj in objects},
        phone=phone,
    )


def _arranged(objects: Sequence[TrueObject], rng: np.random.Generator) -> list[Array]:
    """Return poses on the table: one upright in the middle, or several close together, some on their sides."""
    placed: list[Array] = []
    outlines: list[Array] = []
    for number, obj in enumerate(objects):
        pose = upright_pose(obj.mesh)
        if len(objects) > 1 and rng.uniform() < 0.4:
            rests = rest_poses(obj.mesh)
            shares = np.array([share for _, share in rests])
            pose = rests[int(rng.choice(len(rests), p=shares / shares.sum()))][0] if rests else pose
        gap = GAPS_M[number % 2] if len(objects) > 1 else 0.0
        placed.append(_fitted(obj.mesh, pose, outlines, gap, rng))
    return placed


def _fitted(mesh: Mesh, pose: Array, outlines: list[Array], gap_m: float, rng: np.random.Generator) -> Array:
    """Return the pose turned and shifted on the table, as near to the others as a gap allows; notes its outline."""
    turned = rigid(rotation_about(np.array([0.0, 0.0, 1.0]), float(rng.uniform(0.0, 2.0 * np.pi)))) @ pose
    points = transform(turned, mesh.vertices)[:, :2]
    outline = _outline(points[ConvexHull(points).vertices])
    placed_points = np.concatenate(outlines) if outlines else np.zeros((0, 2))
    heading = float(rng.uniform(0.0, 2.0 * np.pi))
    towards = np.array([np.cos(heading), np.sin(heading)])
    shift = np.zeros(2)
    while len(placed_points) and (
        _covers(outline + shift, placed_points) or _nearest(outline + shift, placed_points) < gap_m
    ):
        shift = shift + 0.002 * towards
    outlines.append(outline + shift)
    return rigid(None, np.array([*shift, TABLE_HEIGHT_M])) @ turned


def _outline(corners: Array) -> Array:
    """Return points every millimetre along a convex polygon, and its corners drawn in, [n, 2]."""
    after = np.roll(corners, -1, axis=0)
    edges = [
        a + np.linspace(0.0, 1.0, max(2, int(np.linalg.norm(b - a) / 0.001)), endpoint=False)[:, None] * (b - a)
        for a, b in zip(corners, after, strict=True)
    ]
    rim = np.concatenate(edges)
    middle = rim.mean(axis=0)
    return np.concatenate([middle + part * (rim - middle) for part in (1.0, 0.75, 0.5, 0.25)])


def _nearest(outline: Array, points: Array) -> float:
    return float(cKDTree(points).query(outline)[0].min())


def _covers(outline: Array, points: Array) -> bool:
    """Return whether any of the other points [n, 2] lies inside the convex outline [m, 2]."""
    hull = ConvexHull(outline)
    return bool((points @ hull.equations[:, :2].T + hull.equations[:, 2] < 0.0).all(axis=1).any())


def _table(rng: np.random.Generator) -> tuple[tuple[str, Mesh], ...]:
    board = procedural_textures.wood((384, 768), (176, 138, 98), rng, planks=4)
    floor = procedural_textures.parquet((768, 768), (150, 132, 112), rng, rows=16, length_px=260)
    top = primitives.box((1.4, 1.0, 0.03), procedural_textures.atlas([board] * 6, (384, 768)))
    ground = primitives.box((5.0, 5.0, 0.05), procedural_textures.atlas([floor] * 6, (768, 768)))
    return (
        ("table", top.transformed(rigid(None, np.array([0.0, 0.0, TABLE_HEIGHT_M - 0.03])))),
        ("floor", ground.transformed(rigid(None, np.array([0.0, 0.0, -0.05])))),
    )
