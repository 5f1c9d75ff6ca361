"""Fridges with a freezer below: two doors on the same side."""

from __future__ import annotations

from dataclasses import dataclass

from cousins.families.assembly import Assembly, AssemblyBody, PartMaterial
from cousins.families.carcass import FRONT_GAP_M, HANDLE_DEPTH_M, carcass, door, slab
from cousins.families.family import Parameters, ParametricFamily, Range, count, ranges_of, span


@dataclass(frozen=True, kw_only=True)
class Config:
    """From a fridge under a counter to one of 2 m; 600 mm is the usual width."""

    length_m: Range = span(0.45, 0.75)
    """Extent along x [m]."""
    width_m: Range = span(0.48, 0.80)
    """y with door and handle, the front at -y [m]."""
    height_m: Range = span(0.80, 2.05)
    """Extent along z [m]."""
    freezer_share: Range = span(0.28, 0.42)
    """Height of the freezer's door over that of the whole object."""
    wall_m: Range = span(0.04, 0.055)
    """Thickness of walls and doors [m]."""
    left: Range = count(0, 1)
    """1 for hinges on the left, 0 for hinges on the right."""
    opening_rad: Range = span(1.6, 2.1)
    """Largest opening angle of the doors [rad]."""


def build(config: Config) -> ParametricFamily:
    """Return the family."""
    sizes = ("length_m", "width_m", "height_m")
    return ParametricFamily(
        name="fridge",
        label="fridge",
        ranges=ranges_of(config),
        extents=sizes,
        assemble=_assemble,
        is_valid=lambda v: 1.4 <= v["height_m"] / v["length_m"] <= 3.4 and v["height_m"] <= 3.3 * v["width_m"],
    )


def _assemble(v: Parameters) -> Assembly:
    x, wall, high = v["length_m"] / 2, v["wall_m"], v["height_m"]
    front = -v["width_m"] / 2 + HANDLE_DEPTH_M
    face, back = front + wall + FRONT_GAP_M, v["width_m"] / 2
    cut = v["freezer_share"] * high
    parts = carcass((-x, x, face, back, 0.0, high), wall)
    parts.append(slab((-x + wall / 2, x - wall / 2, face, back - wall / 2, cut - wall / 2, cut + wall / 2)))
    doors, joints = [], []
    for name, low, top in (("freezer_door", FRONT_GAP_M, cut), ("fridge_door", cut + FRONT_GAP_M, high)):
        door_body, joint = door(
            name,
            (-x, x, front, front + wall, low, top),
            side="left" if round(v["left"]) == 1 else "right",
            opening_rad=v["opening_rad"],
            material_indices=(0, 1),
            handle_m=0.3,
        )
        doors.append(door_body)
        joints.append(joint)
    materials = (PartMaterial(material="furniture", finish="paint"), PartMaterial(material="metal", finish="metal"))
    return Assembly(bodies=(AssemblyBody(name="body", parts=parts), *doors), materials=materials, joints=joints)
