"""Trays: a board with a rim of four walls and two grips."""

from __future__ import annotations

from dataclasses import dataclass

from cousins.families.assembly import Assembly, PartMaterial, single_body
from cousins.families.family import Parameters, ParametricFamily, Range, ranges_of, span
from cousins.families.parts import block


@dataclass(frozen=True, kw_only=True)
class Config:
    """From a tray for pens to one for breakfast, as sold."""

    length_m: Range = span(0.20, 0.55)
    """Extent along x [m]."""
    width_m: Range = span(0.12, 0.38)
    """Extent along y [m]."""
    height_m: Range = span(0.025, 0.075)
    """Height with the grips, z [m]."""
    wall_m: Range = span(0.005, 0.012)
    """Thickness of bottom and walls [m]."""
    grip_share: Range = span(0.3, 0.5)
    """Length of a grip over the width."""


def build(config: Config) -> ParametricFamily:
    """Return the family."""
    sizes = ("length_m", "width_m", "height_m")
    return ParametricFamily(
        name="tray",
        label="tray",
        ranges=ranges_of(config),
        extents=sizes,
        assemble=_assemble,
        is_valid=lambda v: 0.45 <= v["width_m"] / v["length_m"] <= 0.95 and v["height_m"] > 3.2 * v["wall_m"],
        hollow=True,
    )


def _assemble(v: Parameters) -> Assembly:
    x, y, z, wall = v["length_m"], v["width_m"], v["height_m"], v["wall_m"]
    low = 0.72 * z
    parts = [block((x, y, wall), (0.0, 0.0, wall / 2))]
    parts += [block((x, wall, low), (0.0, side * (y - wall) / 2, low / 2)) for side in (-1, 1)]
    parts += [block((wall, y, low), (side * (x - wall) / 2, 0.0, low / 2)) for side in (-1, 1)]
    grip = v["grip_share"] * y
    parts += [block((wall, grip, z), (side * (x - wall) / 2, 0.0, z / 2)) for side in (-1, 1)]
    return single_body(parts, PartMaterial(material="wood", finish="wood"))
