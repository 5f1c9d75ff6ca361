"""Chairs: a seat on four legs and a back with slats."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cousins.families.assembly import Assembly, PartMaterial, single_body
from cousins.families.carcass import slab
from cousins.families.family import Parameters, ParametricFamily, Range, count, ranges_of, span


@dataclass(frozen=True, kw_only=True)
class Config:
    """Chairs for a table: seats 430 to 480 mm high, as sold; smaller ones for children."""

    length_m: Range = span(0.34, 0.52)
    """From side to side, x [m]."""
    width_m: Range = span(0.36, 0.56)
    """From front to back, y, the front at -y [m]."""
    height_m: Range = span(0.60, 1.10)
    """Extent along z [m]."""
    seat_share: Range = span(0.46, 0.58)
    """Height of the seat over that of the whole object."""
    seat_m: Range = span(0.018, 0.045)
    """Thickness of the seat [m]."""
    leg_m: Range = span(0.028, 0.045)
    """Side of a leg [m]."""
    slats: Range = count(1, 4)
    """Slats of the back."""


def build(config: Config) -> ParametricFamily:
    """Return the family."""
    sizes = ("length_m", "width_m", "height_m")
    return ParametricFamily(
        name="chair",
        label="chair",
        ranges=ranges_of(config),
        extents=sizes,
        assemble=_assemble,
        is_valid=lambda v: v["height_m"] <= 2.6 * v["length_m"] and 0.8 <= v["width_m"] / v["length_m"] <= 1.3,
    )


def _assemble(v: Parameters) -> Assembly:
    x, y, z, leg = v["length_m"] / 2, v["width_m"] / 2, v["height_m"], v["leg_m"]
    seat = v["seat_share"] * z
    parts = [slab((-x, x, -y, y, seat - v["seat_m"], seat), material_index=1)]
    for left, right in ((-x, leg - x), (x - leg, x)):
        parts.append(slab((left, right, -y, leg - y, 0.0, seat - 0.001)))
        parts.append(slab((left, right, y - leg, y, 0.0, z)))
    number = round(v["slats"])
    high = (z - seat) / (number + 1.0) * 0.55
    for middle in np.linspace(z - 0.6 * high, seat + 0.3 * (z - seat), number) if number > 1 else [z - 0.6 * high]:
        top = min(float(middle) + high / 2, z)
        parts.append(slab((-x + leg / 2, x - leg / 2, y - 0.75 * leg, y - 0.25 * leg, float(middle) - high / 2, top)))
    return single_body(
        parts, PartMaterial(material="wood", finish="wood"), PartMaterial(material="wood", finish="wood")
    )
