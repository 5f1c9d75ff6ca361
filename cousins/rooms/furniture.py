"""Furniture boxes as assets: tables and chairs with legs, all other categories solid boxes.

A layout scan gives a category and a size. A chair's front is its box's front: RoomPlan's boxes face along their own +z,
which in our axes is -y, so the back stands at +y.
"""

from __future__ import annotations

from typing import Final

import manifold3d
import numpy as np
import trimesh

from cousins.geometry import Array, rigid
from cousins.meshes import Mesh
from cousins.quantities import Quantity
from cousins.reconstruct.assets import Asset, Link, Piece
from cousins.reconstruct.build import mass_properties
from cousins.reconstruct.materials import material_for
from cousins.rooms.room import Furniture

BOARD_THICKNESS_M: Final = 0.04
"""Thickness of a table top, a seat, a back [m]."""
LEG_SIDE_M: Final = 0.05
"""Side of a leg [m]."""
SEAT_HEIGHT_M: Final = 0.45
"""Height of a seat [m]: 40 to 48 cm in EN 1729 and BIFMA G1."""
MAX_SEAT_FRACTION: Final = 0.6
"""A low chair's seat, as a part of its height."""
DENSITIES: Final = {
    "bed": (30.0, 50.0, 90.0),
    "dishwasher": (110.0, 150.0, 190.0),
    "oven": (90.0, 140.0, 190.0),
    "refrigerator": (70.0, 110.0, 150.0),
    "sofa": (25.0, 45.0, 70.0),
    "storage": (60.0, 150.0, 350.0),
    "stove": (90.0, 140.0, 190.0),
    "television": (80.0, 150.0, 300.0),
    "toilet": (120.0, 200.0, 300.0),
    "washer_dryer": (150.0, 220.0, 300.0),
}
"""Mass by the volume of the whole box [kg/m³], low, value, high: household goods of common weight and size, such as a
washer of 70 kg in 60×60×85 cm, a sofa of 75 kg in 200×90×85 cm, a refrigerator of 75 kg in 60×65×180 cm."""
CATEGORY_COLORS: Final = {
    "table": (166, 124, 82),
    "chair": (120, 132, 146),
    "storage": (196, 182, 160),
    "television": (40, 42, 46),
}
"""sRGB by category."""
DEFAULT_COLOR: Final = (176, 176, 170)
"""sRGB of all else."""


def furniture_asset(furniture: Furniture) -> Asset:
    """Return a rigid asset in the box's frame; nothing of its surface counts as seen."""
    boxes = _boxes(furniture.category, furniture.size_m)
    pieces = tuple(_box_piece(low, high) for low, high in boxes)
    solid = _union(boxes)
    label = furniture.category.replace("_", " ")
    material = material_for(label, longest_side_m=float(furniture.size_m.max()))
    density = material.density_kg_m3
    if furniture.category in DENSITIES:
        low, value, high = DENSITIES[furniture.category]
        density = Quantity(low=low, value=value, high=high, source="material table")
    mass, center, inertia = mass_properties(solid, density)
    color = np.array(CATEGORY_COLORS.get(furniture.category, DEFAULT_COLOR), dtype=np.uint8)
    visual = Mesh(vertices=solid.vertices, faces=solid.faces, colors=np.tile(color, (len(solid.vertices), 1)))
    link = Link(
        name="body",
        visual=visual,
        pieces=pieces,
        mass_kg=mass,
        center_of_mass_m=center,
        inertia_kg_m2=inertia,
    )
    return Asset(
        name=furniture.name,
        label=label,
        label_source="RoomPlan",
        links=(link,),
        friction=material.friction,
        restitution=material.restitution,
        material=material.name,
        size_m=furniture.size_m,
        observed_area_m2=0.0,
        completed_area_m2=float(solid.to_trimesh().area),
        completions=("typed box",),
    )


def _boxes(category: str, size_m: Array) -> list[tuple[Array, Array]]:
    """Return low and high corners of the boxes that make up a thing of a size [3] around the origin [m]."""
    high = 0.5 * np.asarray(size_m, dtype=np.float64)
    low = -high
    tall = float(size_m[2]) > 2.0 * BOARD_THICKNESS_M and float(min(size_m[:2])) > 3.0 * LEG_SIDE_M
    if category == "table" and tall:
        return [
            (np.array([*low[:2], high[2] - BOARD_THICKNESS_M]), high),
            *_legs(low, high, high[2] - BOARD_THICKNESS_M),
        ]
    if category == "chair" and tall:
        seat = low[2] + min(SEAT_HEIGHT_M, MAX_SEAT_FRACTION * float(size_m[2]))
        board = (np.array([*low[:2], seat - BOARD_THICKNESS_M]), np.array([*high[:2], seat]))
        back = (np.array([low[0], high[1] - BOARD_THICKNESS_M, seat]), high)
        return [board, back, *_legs(low, high, seat - BOARD_THICKNESS_M)]
    return [(low, high)]


def _legs(low: Array, high: Array, top: float) -> list[tuple[Array, Array]]:
    legs = []
    for x in (low[0], high[0] - LEG_SIDE_M):
        for y in (low[1], high[1] - LEG_SIDE_M):
            legs.append((np.array([x, y, low[2]]), np.array([x + LEG_SIDE_M, y + LEG_SIDE_M, top])))
    return legs


def _box_piece(low: Array, high: Array) -> Piece:
    pose = rigid(None, 0.5 * (low + high))
    mesh = Mesh.from_trimesh(trimesh.creation.box(extents=high - low)).transformed(pose)
    return Piece(kind="box", mesh=mesh, link_from_piece=pose, size_m=high - low)


def _union(boxes: list[tuple[Array, Array]]) -> Mesh:
    parts = [manifold3d.Manifold.cube(high - low).translate(low) for low, high in boxes]
    union = manifold3d.Manifold.batch_boolean(parts, manifold3d.OpType.Add).to_mesh64()
    return Mesh(
        vertices=np.asarray(union.vert_properties[:, :3], dtype=np.float64),
        faces=np.asarray(union.tri_verts, dtype=np.int32),
    )
