"""Bowls for cereal, soup and salad: a round hollow on a foot."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cousins.families.assembly import Assembly, PartMaterial, single_body
from cousins.families.family import Parameters, ParametricFamily, Range, ranges_of, span
from cousins.families.parts import revolve_shell


@dataclass(frozen=True, kw_only=True)
class Config:
    """From a bowl for dips to one for salad, as sold."""

    diameter_m: Range = span(0.10, 0.28)
    """Diameter of the rim, x and y [m]."""
    height_m: Range = span(0.04, 0.13)
    """Extent along z [m]."""
    foot_share: Range = span(0.36, 0.55)
    """Diameter of the foot over that of the rim."""
    wall_m: Range = span(0.003, 0.005)
    """Thickness of the wall [m]."""
    roundness: Range = span(0.15, 0.32)
    """Bulge of the wall beyond the line from foot to rim, over the radius."""


def build(config: Config) -> ParametricFamily:
    """Return the family."""
    sizes = ("diameter_m", "diameter_m", "height_m")
    return ParametricFamily(
        name="bowl",
        label="bowl",
        ranges=ranges_of(config),
        extents=sizes,
        assemble=_assemble,
        is_valid=lambda v: 0.3 <= v["height_m"] / v["diameter_m"] <= 0.62,
        hollow=True,
    )


def _assemble(v: Parameters) -> Assembly:
    rim, height, wall = v["diameter_m"] / 2, v["height_m"], v["wall_m"]
    foot, base = rim * v["foot_share"], 1.6 * wall
    outer = [(foot, 0.0)]
    inner = [(0.9 * foot - wall, base)]
    for along in (0.12, 0.5, 1.0):
        bulge = v["roundness"] * rim * np.sin(np.pi * along**0.9) if along < 1.0 else 0.0
        radius = foot + (rim - foot) * along + 0.6 * bulge
        outer.append((float(radius), along * height))
        inner.append((float(radius - wall * (1.3 if along < 0.3 else 1.0)), max(along * height, base + 0.002)))
    inner[1] = inner[0]
    return single_body([revolve_shell(outer, inner, floor=2)], PartMaterial(material="ceramic", finish="ceramic"))
