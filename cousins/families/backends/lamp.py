"""Table lamps: a foot, a stem and a shade that is open above and below."""

from __future__ import annotations

from dataclasses import dataclass

from cousins.families.assembly import Assembly, PartMaterial, single_body
from cousins.families.family import Parameters, ParametricFamily, Range, ranges_of, span
from cousins.families.parts import block, cylinder, revolve, revolve_shell


@dataclass(frozen=True, kw_only=True)
class Config:
    """From a bedside lamp to a large table lamp, as sold."""

    diameter_m: Range = span(0.16, 0.36)
    """Diameter of the shade at its lower edge, x and y [m]."""
    height_m: Range = span(0.28, 0.58)
    """Extent along z [m]."""
    shade_share: Range = span(0.35, 0.5)
    """Height of the shade over that of the whole object."""
    top_share: Range = span(0.5, 0.85)
    """Diameter of the shade at its upper edge over that at its lower edge."""
    foot_share: Range = span(0.55, 0.75)
    """Diameter of the foot over that of the shade."""
    stem_m: Range = span(0.016, 0.03)
    """Diameter of the stem [m]."""


def build(config: Config) -> ParametricFamily:
    """Return the family."""
    sizes = ("diameter_m", "diameter_m", "height_m")
    return ParametricFamily(
        name="lamp",
        label="lamp",
        ranges=ranges_of(config),
        extents=sizes,
        assemble=_assemble,
        is_valid=lambda v: 1.3 <= v["height_m"] / v["diameter_m"] <= 2.0,
    )


def _assemble(v: Parameters) -> Assembly:
    radius, height, stem = v["diameter_m"] / 2, v["height_m"], v["stem_m"] / 2
    low = height * (1.0 - v["shade_share"])
    foot = radius * v["foot_share"]
    above = radius * v["top_share"]
    wall = 0.004
    base = revolve([(foot, 0.0), (foot, 0.012), (0.5 * foot, 0.026)], convex=True)
    pole = cylinder(stem, 0.02, height - 0.015, material_index=2)
    shade = revolve_shell(
        [(radius, low), (above, height)], [(radius - wall, low), (above - wall, height)], floor=0, material_index=1
    )
    reach = 2.0 * (above + (radius - above) * 0.018 / (height - low)) - wall
    bars = [
        block((reach, 0.006, 0.006), (0.0, 0.0, height - 0.018), material_index=2),
        block((0.006, reach, 0.006), (0.0, 0.0, height - 0.018), material_index=2),
    ]
    return single_body(
        [base, pole, *bars, shade],
        PartMaterial(material="ceramic", finish="ceramic"),
        PartMaterial(material="plastic", finish="fabric"),
        PartMaterial(material="metal", finish="metal"),
    )
