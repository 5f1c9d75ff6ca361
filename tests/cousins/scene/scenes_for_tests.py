"""Small scenes made by hand: a box and a bowl on a table over a floor, and a cabinet with a door and a drawer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import trimesh

from cousins.capture.captures import Scale
from cousins.geometry import Array, rigid, rotation_about
from cousins.meshes import Mesh, concatenate
from cousins.quantities import Quantity
from cousins.reconstruct.assets import Asset, Joint, Link, Piece
from cousins.scene.scenes import PlacedAsset, Relation, Scene, Structure

FRICTION = Quantity(value=0.5, low=0.3, high=0.7, source="material table")
RESTITUTION = Quantity(value=0.3, low=0.1, high=0.5, source="material table")


def quantity(value: float) -> Quantity:
    return Quantity(value=value, low=0.8 * value, high=1.25 * value, source="model")


def box_mesh(size: Array, pose: Array | None = None) -> Mesh:
    box = trimesh.creation.box(extents=size)
    return Mesh.from_trimesh(box).transformed(np.eye(4) if pose is None else pose)


def box_piece(size: tuple[float, float, float], center: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> Piece:
    pose = rigid(translation=np.array(center))
    return Piece(kind="box", mesh=box_mesh(np.array(size), pose), link_from_piece=pose, size_m=np.array(size))


def hull_piece(points: Array) -> Piece:
    mesh = Mesh.from_trimesh(trimesh.convex.convex_hull(points))
    return Piece(kind="mesh", mesh=mesh, link_from_piece=np.eye(4), size_m=np.ptp(mesh.vertices, axis=0))


def textured_box_mesh(size: tuple[float, float, float]) -> Mesh:
    """A box whose six faces show the same gradient; vertices are split at the seams."""
    box = trimesh.creation.box(extents=size)
    vertices = box.vertices[box.faces].reshape(-1, 3)
    uv = np.zeros((len(vertices), 2))
    for face, normal in enumerate(box.face_normals):
        axes = [axis for axis in range(3) if axis != int(np.argmax(np.abs(normal)))]
        corners = slice(3 * face, 3 * face + 3)
        uv[corners] = vertices[corners][:, axes] / np.array(size)[axes] + 0.5
    texture = np.zeros((16, 32, 3), dtype=np.uint8)
    texture[..., 0], texture[..., 1] = np.arange(16)[:, None] * 16, np.arange(32)[None, :] * 8
    faces = np.arange(len(vertices), dtype=np.int32).reshape(-1, 3)
    return Mesh(vertices=vertices, faces=faces, uv=uv, texture=texture)


def link_of(name: str, visual: Mesh, pieces: tuple[Piece, ...], *, density: float = 500.0) -> Link:
    solids = [trimesh.convex.convex_hull(piece.mesh.vertices) for piece in pieces]
    mass = sum(solid.volume for solid in solids) * density
    center = sum(solid.volume * solid.center_mass for solid in solids) * density / mass
    inertia = np.zeros((3, 3))
    for solid in solids:
        offset = solid.center_mass - center
        steiner = float(offset @ offset) * np.eye(3) - np.outer(offset, offset)
        inertia += density * (solid.moment_inertia + solid.volume * steiner)
    return Link(
        name=name,
        visual=visual,
        pieces=pieces,
        mass_kg=quantity(float(mass)),
        center_of_mass_m=np.asarray(center),
        inertia_kg_m2=inertia,
    )


def asset_of(name: str, label: str, links: tuple[Link, ...], joints: tuple[Joint, ...], size: Array) -> Asset:
    area = float(sum(link.visual.to_trimesh().area for link in links))
    return Asset(
        name=name,
        label=label,
        links=links,
        joints=joints,
        friction=FRICTION,
        restitution=RESTITUTION,
        material="wood",
        size_m=np.asarray(size, dtype=np.float64),
        observed_area_m2=0.75 * area,
        completed_area_m2=0.25 * area,
        completions=("support contact",),
    )


def box_asset(name: str = "box", size: tuple[float, float, float] = (0.19, 0.12, 0.05)) -> Asset:
    link = link_of("body", textured_box_mesh(size), (box_piece(size),))
    return asset_of(name, "box 19×12×5 cm", (link,), (), np.array(size))


def can_asset(name: str = "can", radius: float = 0.033, height: float = 0.11) -> Asset:
    mesh = Mesh.from_trimesh(trimesh.creation.cylinder(radius=radius, height=height, sections=48))
    size = np.array([2 * radius, 2 * radius, height])
    piece = Piece(kind="cylinder", mesh=mesh, link_from_piece=np.eye(4), size_m=size)
    return asset_of(name, "can", (link_of("body", mesh, (piece,)),), (), size)


def ball_asset(name: str = "ball", radius: float = 0.035) -> Asset:
    mesh = Mesh.from_trimesh(trimesh.creation.icosphere(subdivisions=3, radius=radius))
    size = np.full(3, 2 * radius)
    piece = Piece(kind="sphere", mesh=mesh, link_from_piece=np.eye(4), size_m=size)
    return asset_of(name, "ball", (link_of("body", mesh, (piece,)),), (), size)


def bowl_asset(name: str = "bowl", *, sectors: int = 16) -> Asset:
    """A hollow bowl: 16 cm wide, 7 cm high, a flat foot and a ring of convex wall pieces."""
    low, high = -0.035, 0.035
    outer_low, outer_high, wall = 0.045, 0.08, 0.006
    profile = np.array(
        [
            [0.0, low],
            [outer_low, low],
            [outer_high, high],
            [outer_high - wall, high],
            [outer_low - wall, low + wall],
            [0.0, low + wall],
        ]
    )
    visual = Mesh.from_trimesh(trimesh.creation.revolve(profile, sections=sectors * 4))
    pieces = []
    ring = np.array([[outer_low, low], [outer_high, high], [outer_high - wall, high], [outer_low - wall, low + 1e-4]])
    for sector in range(sectors):
        corners = []
        for angle in 2.0 * np.pi * np.array([sector, sector + 1]) / sectors:
            corners += [[r * np.cos(angle), r * np.sin(angle), z] for r, z in ring]
        pieces.append(hull_piece(np.array(corners)))
    bottom = trimesh.creation.cylinder(radius=outer_low - wall / 2, height=wall, sections=4 * sectors)
    bottom.apply_translation([0.0, 0.0, low + wall / 2])
    pieces.append(hull_piece(np.asarray(bottom.vertices)))
    link = link_of("body", visual, tuple(pieces))
    return asset_of(name, "bowl", (link,), (), np.array([2 * outer_high, 2 * outer_high, high - low]))


def cabinet_asset(name: str = "cabinet") -> Asset:
    """A cabinet of 36×40×50 cm: a carcass, a door on a hinge below, a drawer on a slide above; front at +x."""
    t, w, d, h = 0.02, 0.40, 0.34, 0.50
    boards = (
        box_piece((d, t, h), (-0.01, -w / 2 + t / 2, 0.0)),
        box_piece((d, t, h), (-0.01, w / 2 - t / 2, 0.0)),
        box_piece((d, w - 2 * t, t), (-0.01, 0.0, -h / 2 + t / 2)),
        box_piece((d, w - 2 * t, t), (-0.01, 0.0, h / 2 - t / 2)),
        box_piece((d, w - 2 * t, t), (-0.01, 0.0, 0.08)),
        box_piece((t, w - 2 * t, h - 2 * t), (-0.01 - d / 2 + t / 2, 0.0, 0.0)),
    )
    carcass = link_of("carcass", concatenate([board.mesh for board in boards]), boards)
    door_piece = box_piece((t, w - 0.004, 0.32), (0.0, -(w - 0.004) / 2, 0.0))
    door = link_of("door", door_piece.mesh, (door_piece,))
    hinge = Joint(
        name="hinge",
        kind="revolute",
        parent="carcass",
        child="door",
        parent_from_child=rigid(translation=np.array([0.171, w / 2 - 0.002, -0.088])),
        axis=np.array([0.0, 0.0, 1.0]),
        lower=0.0,
        upper=1.9,
        damping=0.2,
        friction=0.05,
    )
    sides = (
        box_piece((t, w - 0.004, 0.15), (0.0, 0.0, 0.0)),
        box_piece((0.28, 0.30, 0.01), (-0.151, 0.0, -0.05)),
        box_piece((0.28, 0.01, 0.08), (-0.151, -0.15, -0.01)),
        box_piece((0.28, 0.01, 0.08), (-0.151, 0.15, -0.01)),
        box_piece((0.01, 0.30, 0.08), (-0.286, 0.0, -0.01)),
    )
    drawer = link_of("drawer", concatenate([side.mesh for side in sides]), sides)
    slide = Joint(
        name="slide",
        kind="prismatic",
        parent="carcass",
        child="drawer",
        parent_from_child=rigid(translation=np.array([0.171, 0.0, 0.165])),
        axis=np.array([1.0, 0.0, 0.0]),
        lower=0.0,
        upper=0.25,
        damping=1.0,
        friction=0.5,
    )
    return asset_of(name, "cabinet", (carcass, door, drawer), (hinge, slide), np.array([0.361, w, h]))


def slab(name: str, kind: str, size: tuple[float, float], top_m: float, center: tuple[float, float]) -> Structure:
    """A horizontal slab of 5 cm with its top face at a height."""
    piece = box_piece((size[0], size[1], 0.05), (center[0], center[1], top_m - 0.025))
    x, y = size[0] / 2, size[1] / 2
    corners = np.array([[-x, -y, top_m], [x, -y, top_m], [x, y, top_m], [-x, y, top_m]])
    corners += np.array([center[0], center[1], 0.0])
    visual = Mesh(vertices=corners, faces=np.array([[0, 1, 2], [0, 2, 3]], dtype=np.int32))
    return Structure(name=name, kind=kind, visual=visual, pieces=(piece,), friction=FRICTION, restitution=RESTITUTION)


def tilted(angle_rad: float, position: tuple[float, float, float]) -> Array:
    return rigid(rotation_about(np.array([0.3, 0.2, 1.0]), angle_rad), np.array(position))


def table_scene(name: str = "table_scene") -> Scene:
    """A box and a bowl that stand exactly on a table, a cabinet that stands on the floor."""
    box = PlacedAsset(
        asset=box_asset(),
        world_from_asset=rigid(rotation_about(np.array([0.0, 0.0, 1.0]), 0.4), np.array([0.1, 0.05, 0.725])),
    )
    bowl = PlacedAsset(asset=bowl_asset(), world_from_asset=rigid(translation=np.array([-0.2, -0.1, 0.735])))
    turned = rotation_about(np.array([0.0, 0.0, 1.0]), -1.2)
    cabinet = PlacedAsset(asset=cabinet_asset(), world_from_asset=rigid(turned, np.array([1.3, 0.2, 0.25])))
    return Scene(
        name=name,
        structures=(
            slab("floor", "floor", (4.0, 4.0), 0.0, (0.5, 0.0)),
            slab("table", "table", (0.9, 0.7), 0.7, (0.0, 0.0)),
        ),
        objects=(cabinet, box, bowl),
        relations=(
            Relation(kind="on", subject="cabinet", object="floor"),
            Relation(kind="on", subject="box", object="table"),
            Relation(kind="on", subject="bowl", object="table"),
        ),
        scale=Scale(source="lidar", error=0.01),
        capture_digest="0" * 64,
        warnings=("made by hand",),
    )


def with_pose(scene: Scene, name: str, world_from_asset: Array) -> Scene:
    """The same scene with one object elsewhere."""
    objects = tuple(
        replace(placed, world_from_asset=world_from_asset) if placed.asset.name == name else placed
        for placed in scene.objects
    )
    return replace(scene, objects=objects)
