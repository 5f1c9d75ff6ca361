"""Microwave ovens: a door with a window that hangs on the left, beside a panel."""

from __future__ import annotations

from dataclasses import dataclass

from cousins.families.assembly import Assembly, AssemblyBody, PartMaterial
from cousins.families.carcass import FRONT_GAP_M, HANDLE_DEPTH_M, carcass, door, slab
from cousins.families.family import Parameters, ParametricFamily, Range, ranges_of, span


@dataclass(frozen=True, kw_only=True)
class Config:
    """Ovens of 17 to 32 l, as sold."""

    length_m: Range = span(0.42, 0.60)
    """Extent along x [m]."""
    width_m: Range = span(0.34, 0.55)
    """y with door and handle, the front at -y [m]."""
    height_m: Range = span(0.24, 0.36)
    """Extent along z [m]."""
    panel_share: Range = span(0.18, 0.28)
    """Width of the panel over that of the whole object."""
    wall_m: Range = span(0.014, 0.02)
    """Thickness of walls and door [m]."""
    opening_rad: Range = span(1.6, 2.0)
    """Largest opening angle of the door [rad]."""


def build(config: Config) -> ParametricFamily:
    """Return the family."""
    sizes = ("length_m", "width_m", "height_m")
    return ParametricFamily(
        name="microwave", label="microwave", ranges=ranges_of(config), extents=sizes, assemble=_assemble
    )


def _assemble(v: Parameters) -> Assembly:
    x, wall, high = v["length_m"] / 2, v["wall_m"], v["height_m"]
    front = -v["width_m"] / 2 + HANDLE_DEPTH_M
    face, back = front + wall + FRONT_GAP_M, v["width_m"] / 2
    panel = x - v["panel_share"] * v["length_m"]
    parts = carcass((-x, panel, face, back, 0.0, high), wall)
    parts.append(slab((panel - 0.001, x, face, back, 0.0, high)))
    parts.append(slab((panel + FRONT_GAP_M, x, front, face + 0.001, 0.0, high), material_index=2))
    door_body, joint = door(
        "door",
        (-x, panel, front, front + wall, 0.0, high),
        side="left",
        opening_rad=v["opening_rad"],
        material_indices=(0, 1),
        handle_m=0.2,
        pane=2,
    )
    materials = (
        PartMaterial(material="plastic", finish="paint"),
        PartMaterial(material="metal", finish="metal"),
        PartMaterial(material="plastic", finish="dark"),
    )
    return Assembly(bodies=(AssemblyBody(name="body", parts=parts), door_body), materials=materials, joints=(joint,))
