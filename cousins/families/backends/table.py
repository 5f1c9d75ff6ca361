"""Tables: a top on four legs with an apron."""

from __future__ import annotations

from dataclasses import dataclass

from cousins.families.assembly import Assembly, PartMaterial, single_body
from cousins.families.carcass import slab
from cousins.families.family import Parameters, ParametricFamily, Range, ranges_of, span


@dataclass(frozen=True, kw_only=True)
class Config:
    """From a side table to a dining table; dining height is 720 to 760 mm (EN 1730's usual range)."""

    length_m: Range = span(0.40, 2.0)
    """Extent along x [m]."""
    width_m: Range = span(0.35, 1.0)
    """Extent along y [m]."""
    height_m: Range = span(0.38, 1.0)
    """Extent along z [m]."""
    top_m: Range = span(0.018, 0.04)
    """Thickness of the top [m]."""
    leg_m: Range = span(0.03, 0.07)
    """Side of a leg [m]."""
    apron_m: Range = span(0.04, 0.1)
    """Height of the apron under the top [m]."""
    inset_m: Range = span(0.0, 0.06)
    """Inset of the legs from the edge [m]."""


def build(config: Config) -> ParametricFamily:
    """Return the family."""
    sizes = ("length_m", "width_m", "height_m")
    return ParametricFamily(
        name="table",
        label="table",
        ranges=ranges_of(config),
        extents=sizes,
        assemble=_assemble,
        is_valid=lambda v: 0.4 <= v["width_m"] / v["length_m"] <= 1.0 and v["height_m"] <= 1.6 * v["width_m"],
    )


def _assemble(v: Parameters) -> Assembly:
    x, y, z, top, leg, inset = (v[key] for key in ("length_m", "width_m", "height_m", "top_m", "leg_m", "inset_m"))
    half, deep, under = x / 2 - inset, y / 2 - inset, z - top
    parts = [slab((-x / 2, x / 2, -y / 2, y / 2, under, z))]
    for sx in (-1, 1):
        for sy in (-1, 1):
            low, high = sorted((sx * half, sx * (half - leg)))
            near, far = sorted((sy * deep, sy * (deep - leg)))
            parts.append(slab((low, high, near, far, 0.0, under + 0.001), material_index=1))
    rail = z - top - v["apron_m"]
    for side in (-1, 1):
        near, far = sorted((side * (deep - 0.004), side * (deep - 0.022)))
        parts.append(slab((-half + 0.5 * leg, half - 0.5 * leg, near, far, rail, under + 0.001), material_index=1))
        near, far = sorted((side * (half - 0.004), side * (half - 0.022)))
        parts.append(slab((near, far, -deep + 0.5 * leg, deep - 0.5 * leg, rail, under + 0.001), material_index=1))
    return single_body(
        parts, PartMaterial(material="wood", finish="wood"), PartMaterial(material="wood", finish="wood")
    )
