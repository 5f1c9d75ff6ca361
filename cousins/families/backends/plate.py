"""Plates: a flat middle inside a rim that rises."""

from __future__ import annotations

from dataclasses import dataclass

from cousins.families.assembly import Assembly, PartMaterial, single_body
from cousins.families.family import Parameters, ParametricFamily, Range, ranges_of, span
from cousins.families.parts import revolve_shell


@dataclass(frozen=True, kw_only=True)
class Config:
    """From a saucer to a dinner plate, as sold."""

    diameter_m: Range = span(0.14, 0.30)
    """Diameter of the rim, x and y [m]."""
    height_m: Range = span(0.014, 0.04)
    """Extent along z [m]."""
    well_share: Range = span(0.58, 0.75)
    """Diameter of the flat middle over that of the rim."""
    wall_m: Range = span(0.004, 0.006)
    """Thickness [m]."""


def build(config: Config) -> ParametricFamily:
    """Return the family."""
    sizes = ("diameter_m", "diameter_m", "height_m")
    return ParametricFamily(
        name="plate",
        label="plate",
        ranges=ranges_of(config),
        extents=sizes,
        assemble=_assemble,
        is_valid=lambda v: 0.08 <= v["height_m"] / v["diameter_m"] <= 0.16,
        hollow=True,
    )


def _assemble(v: Parameters) -> Assembly:
    rim, height, wall = v["diameter_m"] / 2, v["height_m"], v["wall_m"]
    well = rim * v["well_share"]
    outer = [(well, 0.0), (rim, height - 0.6 * wall)]
    inner = [(well - 0.004, wall), (rim, height)]
    return single_body([revolve_shell(outer, inner, sides=16)], PartMaterial(material="ceramic", finish="ceramic"))
