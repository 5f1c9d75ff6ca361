"""Ovens that stand on the floor: a door that folds down under a panel, plates on top."""

from __future__ import annotations

from dataclasses import dataclass

from cousins.families.assembly import Assembly, AssemblyBody, PartMaterial
from cousins.families.carcass import FRONT_GAP_M, HANDLE_DEPTH_M, carcass, door, slab
from cousins.families.family import Parameters, ParametricFamily, Range, ranges_of, span
from cousins.families.parts import cylinder


@dataclass(frozen=True, kw_only=True)
class Config:
    """Cookers of 500 or 600 mm, 850 to 940 mm high (EN 1116's modules)."""

    length_m: Range = span(0.48, 0.65)
    """Extent along x [m]."""
    width_m: Range = span(0.55, 0.72)
    """y with door and handle, the front at -y [m]."""
    height_m: Range = span(0.80, 0.96)
    """Extent along z [m]."""
    panel_share: Range = span(0.12, 0.18)
    """Height of the panel over that of the whole object."""
    foot_share: Range = span(0.15, 0.25)
    """Height of the base below the door over that of the whole object."""
    wall_m: Range = span(0.025, 0.035)
    """Thickness of walls and door [m]."""
    opening_rad: Range = span(1.4, 1.57)
    """Largest opening angle of the door [rad]."""


def build(config: Config) -> ParametricFamily:
    """Return the family."""
    sizes = ("length_m", "width_m", "height_m")
    return ParametricFamily(name="oven", label="oven", ranges=ranges_of(config), extents=sizes, assemble=_assemble)


def _assemble(v: Parameters) -> Assembly:
    x, wall, high = v["length_m"] / 2, v["wall_m"], v["height_m"] - 0.006
    front = -v["width_m"] / 2 + HANDLE_DEPTH_M
    face, back = front + wall + FRONT_GAP_M, v["width_m"] / 2
    low, top = v["foot_share"] * high, (1.0 - v["panel_share"]) * high
    parts = carcass((-x, x, face, back, low, top), wall)
    parts.append(slab((-x, x, face, back, 0.0, low + 0.001)))
    parts.append(slab((-x, x, front, back, top - 0.001, high)))
    for sx in (-0.5, 0.5):
        for y in (0.27, 0.73):
            plate = cylinder(0.16 * v["length_m"], high - 0.001, v["height_m"], material_index=2)
            parts.append(plate.translated(x=sx * x, y=face + y * (back - face)))
    door_body, joint = door(
        "door",
        (-x, x, front, front + wall, low, top - FRONT_GAP_M),
        side="bottom",
        opening_rad=v["opening_rad"],
        material_indices=(0, 1),
        pane=2,
    )
    materials = (
        PartMaterial(material="furniture", finish="paint"),
        PartMaterial(material="metal", finish="metal"),
        PartMaterial(material="glass", finish="dark"),
    )
    return Assembly(bodies=(AssemblyBody(name="body", parts=parts), door_body), materials=materials, joints=(joint,))
