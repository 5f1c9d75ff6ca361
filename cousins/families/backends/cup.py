"""Cups and tumblers: a hollow without a handle."""

from __future__ import annotations

from dataclasses import dataclass

from cousins.families.assembly import Assembly, PartMaterial, single_body
from cousins.families.family import Parameters, ParametricFamily, Range, ranges_of, span
from cousins.families.parts import revolve_shell


@dataclass(frozen=True, kw_only=True)
class Config:
    """From an espresso cup to a one-litre tumbler, as sold."""

    diameter_m: Range = span(0.055, 0.12)
    """Diameter of the rim, x and y [m]."""
    height_m: Range = span(0.055, 0.16)
    """Extent along z [m]."""
    foot_share: Range = span(0.65, 0.98)
    """Diameter of the foot over that of the rim."""
    wall_m: Range = span(0.002, 0.0045)
    """Thickness of the wall [m]."""
    bottom_m: Range = span(0.004, 0.009)
    """Thickness of the bottom [m]."""


def build(config: Config) -> ParametricFamily:
    """Return the family."""
    sizes = ("diameter_m", "diameter_m", "height_m")
    return ParametricFamily(
        name="cup",
        label="cup",
        ranges=ranges_of(config),
        extents=sizes,
        assemble=_assemble,
        is_valid=lambda v: 0.8 <= v["height_m"] / v["diameter_m"] <= 1.9,
        hollow=True,
    )


def _assemble(v: Parameters) -> Assembly:
    rim, height, wall, bottom = v["diameter_m"] / 2, v["height_m"], v["wall_m"], v["bottom_m"]
    foot = rim * v["foot_share"]
    inside = foot + (rim - foot) * bottom / height - wall
    body = revolve_shell([(foot, 0.0), (rim, height)], [(inside, bottom), (rim - wall, height)], sides=16)
    return single_body([body], PartMaterial(material="plastic", finish="plastic"))
