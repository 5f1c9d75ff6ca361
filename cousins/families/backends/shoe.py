"""Shoes: a sole and an upper, closed where the foot goes in."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from cousins.families.assembly import Assembly, PartMaterial, single_body
from cousins.families.family import Parameters, ParametricFamily, Range, ranges_of, span
from cousins.families.parts import hull
from cousins.geometry import Array

ALONG = (0.0, 0.06, 0.2, 0.4, 0.6, 0.8, 0.94, 1.0)
"""Positions of the sections over the length of the shoe, from heel to toe."""
WIDE = (0.34, 0.6, 0.7, 0.68, 0.86, 1.0, 0.76, 0.3)
"""Widths of the sections over that of the shoe."""
HIGH = (0.7, 0.96, 1.0, 0.94, 0.68, 0.5, 0.4, 0.28)
"""Heights of the sections over that of the shoe."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """EU sizes 28 to 47, from a flat shoe to a sneaker."""

    length_m: Range = span(0.18, 0.32)
    """x, the toe at +x [m]."""
    width_m: Range = span(0.07, 0.12)
    """Extent along y [m]."""
    height_m: Range = span(0.07, 0.14)
    """Extent along z [m]."""
    sole_m: Range = span(0.012, 0.03)
    """Thickness of the sole [m]."""
    ankle_share: Range = span(0.45, 0.65)
    """Width at the ankle over that at the sole."""


def build(config: Config) -> ParametricFamily:
    """Return the family."""
    sizes = ("length_m", "width_m", "height_m")
    return ParametricFamily(
        name="shoe",
        label="shoe",
        ranges=ranges_of(config),
        extents=sizes,
        assemble=_assemble,
        is_valid=lambda v: 2.3 <= v["length_m"] / v["width_m"] <= 3.2 and v["height_m"] > 2.8 * v["sole_m"],
    )


def _assemble(v: Parameters) -> Assembly:
    sole, upper = [], []
    sections = [
        (along * v["length_m"], wide * v["width_m"], high * v["height_m"])
        for along, wide, high in zip(ALONG, WIDE, HIGH, strict=True)
    ]
    for pair in pairwise(sections):
        sole.append(hull(np.concatenate([_sole(*section, v["sole_m"]) for section in pair]), material_index=1))
        upper.append(hull(np.concatenate([_upper(*section, v["sole_m"], v["ankle_share"]) for section in pair])))
    return single_body(
        [*upper, *sole],
        PartMaterial(material="footwear", finish="fabric"),
        PartMaterial(material="footwear", finish="rubber"),
    )


def _sole(x: float, width: float, _: float, thick: float) -> Array:
    """Return the corners of a section through the sole [4, 3]."""
    return np.array([(x, side * width / 2, z) for side in (-1, 1) for z in (0.0, thick)])


def _upper(x: float, width: float, height: float, sole: float, ankle: float) -> Array:
    """Return the corners of a section through the upper [n, 3]: straight below, rounded to a narrower top."""
    base, half = 0.95 * width / 2, max(height - sole, 0.004)
    turn = np.linspace(0.0, np.pi, 9)
    tall = half / 0.06 if half < 0.06 else 1.0
    narrow = base * (ankle if tall >= 1.0 else 0.75 + 0.25 * (1.0 - tall))
    sides = [(x, side * base, sole - 0.001) for side in (-1, 1)]
    arch = [(x, narrow * np.cos(a), sole + half * (0.55 + 0.45 * np.sin(a))) for a in turn]
    return np.array([*sides, *arch])
