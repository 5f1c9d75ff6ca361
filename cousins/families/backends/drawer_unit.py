"""Drawer units: two to five drawers above each other."""

from __future__ import annotations

from dataclasses import dataclass

from cousins.families.assembly import Assembly, AssemblyBody, PartMaterial
from cousins.families.carcass import FRONT_GAP_M, HANDLE_DEPTH_M, carcass, drawer
from cousins.families.family import Parameters, ParametricFamily, Range, count, ranges_of, span


@dataclass(frozen=True, kw_only=True)
class Config:
    """From a box with drawers for a desk to a chest of drawers, as sold."""

    length_m: Range = span(0.20, 1.0)
    """Extent along x [m]."""
    width_m: Range = span(0.22, 0.60)
    """y with handles, the front at -y [m]."""
    height_m: Range = span(0.22, 1.2)
    """Extent along z [m]."""
    wall_m: Range = span(0.012, 0.02)
    """Thickness of a board [m]."""
    drawers: Range = count(2, 5)
    """Number of drawers."""
    travel: Range = span(0.65, 0.8)
    """Travel of a drawer over its depth."""


def build(config: Config) -> ParametricFamily:
    """Return the family."""
    sizes = ("length_m", "width_m", "height_m")
    return ParametricFamily(
        name="drawer_unit",
        label="drawer unit",
        ranges=ranges_of(config),
        extents=sizes,
        assemble=_assemble,
        is_valid=_is_valid,
    )


def _is_valid(v: Parameters) -> bool:
    return 0.09 <= v["height_m"] / v["drawers"] <= 0.3 and v["height_m"] <= 3.0 * v["width_m"]


def _assemble(v: Parameters) -> Assembly:
    x, wall, high = v["length_m"] / 2, v["wall_m"], v["height_m"]
    front = -v["width_m"] / 2 + HANDLE_DEPTH_M
    face, back = front + wall + FRONT_GAP_M, v["width_m"] / 2
    body = AssemblyBody(name="body", parts=carcass((-x, x, face, back, 0.0, high), wall))
    number = round(v["drawers"])
    step = (high - 2.0 * wall) / number
    boxes, joints = [], []
    for index in range(number):
        low = wall + index * step
        foot = FRONT_GAP_M if index == 0 else low + FRONT_GAP_M / 2
        head = high if index == number - 1 else low + step - FRONT_GAP_M / 2
        box, slide = drawer(
            f"drawer_{index}",
            (-x, x, front, front + wall, foot, head),
            (-x + wall, x - wall, face, back - wall, low, low + step),
            wall_m=0.7 * wall,
            material_indices=(1, 2),
            travel=v["travel"],
        )
        boxes.append(box)
        joints.append(slide)
    materials = (
        PartMaterial(material="wood", finish="wood"),
        PartMaterial(material="wood", finish="wood"),
        PartMaterial(material="metal", finish="metal"),
    )
    return Assembly(bodies=(body, *boxes), materials=materials, joints=joints)
