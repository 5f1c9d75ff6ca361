"""Cardboard boxes: parcels, cereal and tea boxes."""

from __future__ import annotations

from dataclasses import dataclass

from cousins.families.assembly import Assembly, PartMaterial, single_body
from cousins.families.family import Parameters, ParametricFamily, Range, ranges_of, span
from cousins.families.parts import block


@dataclass(frozen=True, kw_only=True)
class Config:
    """Sizes from a tea box to a parcel, as sold."""

    length_m: Range = span(0.05, 0.60)
    """Along x [m]."""
    width_m: Range = span(0.02, 0.45)
    """Along y [m]."""
    height_m: Range = span(0.02, 0.45)
    """Along z [m]."""


def build(config: Config) -> ParametricFamily:
    """Return the family."""
    sizes = ("length_m", "width_m", "height_m")
    return ParametricFamily(
        name="box", label="box", ranges=ranges_of(config), extents=sizes, assemble=_assemble, is_valid=_is_valid
    )


def _is_valid(v: Parameters) -> bool:
    return v["height_m"] < 6.0 * min(v["width_m"], v["length_m"])


def _assemble(v: Parameters) -> Assembly:
    x, y, z = v["length_m"], v["width_m"], v["height_m"]
    finish = "print" if max(x, y, z) < 0.3 else "cardboard"
    return single_body(
        [block((x, y, z), (0.0, 0.0, 0.0), stretch_texture=True)], PartMaterial(material="carton", finish=finish)
    )
