"""Balls, from table tennis to football."""

from __future__ import annotations

from dataclasses import dataclass

from cousins.families.assembly import Assembly, PartMaterial, single_body
from cousins.families.family import Parameters, ParametricFamily, Range, ranges_of, span
from cousins.families.parts import ball


@dataclass(frozen=True, kw_only=True)
class Config:
    """Table tennis 40 mm (ITTF), tennis 65 to 69 mm (ITF), football size 5 216 to 223 mm (IFAB)."""

    diameter_m: Range = span(0.038, 0.225)
    """Diameter [m]."""


def build(config: Config) -> ParametricFamily:
    """Return the family."""
    sizes = ("diameter_m", "diameter_m", "diameter_m")
    return ParametricFamily(name="ball", label="ball", ranges=ranges_of(config), extents=sizes, assemble=_assemble)


def _assemble(v: Parameters) -> Assembly:
    small = v["diameter_m"] < 0.075
    material = (
        PartMaterial(material="rubber", finish="rubber") if small else PartMaterial(material="fabric", finish="plastic")
    )
    return single_body([ball(v["diameter_m"] / 2, (0.0, 0.0, 0.0))], material)
