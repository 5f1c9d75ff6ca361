"""Cans: a cylinder with a label between two rims."""

from __future__ import annotations

from dataclasses import dataclass, replace

from cousins.families.assembly import Assembly, PartMaterial, single_body
from cousins.families.family import Parameters, ParametricFamily, Range, ranges_of, span
from cousins.families.parts import cylinder, revolve


@dataclass(frozen=True, kw_only=True)
class Config:
    """From a flat fish tin to a large can of tomatoes; a 330 ml can is 66 by 115 mm."""

    diameter_m: Range = span(0.05, 0.11)
    """x and y [m]."""
    height_m: Range = span(0.035, 0.18)
    """Extent along z [m]."""
    rim_m: Range = span(0.003, 0.007)
    """Height of a rim [m]."""


def build(config: Config) -> ParametricFamily:
    """Return the family."""
    sizes = ("diameter_m", "diameter_m", "height_m")
    return ParametricFamily(
        name="can", label="can", ranges=ranges_of(config), extents=sizes, assemble=_assemble, is_valid=_is_valid
    )


def _is_valid(v: Parameters) -> bool:
    return 0.45 <= v["height_m"] / v["diameter_m"] <= 2.2


def _assemble(v: Parameters) -> Assembly:
    radius, height, rim = v["diameter_m"] / 2, v["height_m"], v["rim_m"]
    inner = radius - 0.001
    label = revolve([(inner, rim), (inner, height - rim)], material_index=1, stretch_texture=True)
    ends = [revolve([(radius, low), (radius, low + 1.05 * rim)]) for low in (0.0, height - 1.05 * rim)]
    envelope = cylinder(radius, 0.0, height)
    parts = [replace(ends[0], pieces=envelope.pieces), ends[1].without_pieces(), label.without_pieces()]
    material = "filled container"
    return single_body(
        parts, PartMaterial(material=material, finish="metal"), PartMaterial(material=material, finish="print")
    )
