"""Shelves that stand on the floor: sides, a back and boards."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cousins.families.assembly import Assembly, PartMaterial, single_body
from cousins.families.carcass import carcass
from cousins.families.family import Parameters, ParametricFamily, Range, count, ranges_of, span


@dataclass(frozen=True, kw_only=True)
class Config:
    """From a low bookcase to a high one, as sold."""

    length_m: Range = span(0.35, 1.2)
    """Extent along x [m]."""
    width_m: Range = span(0.22, 0.45)
    """y, the front at -y [m]."""
    height_m: Range = span(0.6, 2.1)
    """Extent along z [m]."""
    wall_m: Range = span(0.015, 0.025)
    """Thickness of a board [m]."""
    boards: Range = count(1, 5)
    """Boards between bottom and top."""


def build(config: Config) -> ParametricFamily:
    """Return the family."""
    sizes = ("length_m", "width_m", "height_m")
    return ParametricFamily(
        name="shelf", label="shelf", ranges=ranges_of(config), extents=sizes, assemble=_assemble, is_valid=_is_valid
    )


def _is_valid(v: Parameters) -> bool:
    return 0.22 <= v["height_m"] / (v["boards"] + 1.0) <= 0.5 and v["height_m"] <= 6.0 * v["width_m"]


def _assemble(v: Parameters) -> Assembly:
    x, y, z = v["length_m"] / 2, v["width_m"] / 2, v["height_m"]
    heights = np.linspace(0.0, z, round(v["boards"]) + 2)[1:-1]
    parts = carcass((-x, x, -y, y, 0.0, z), v["wall_m"], shelves=heights.tolist())
    return single_body(parts, PartMaterial(material="wood", finish="wood"))
