"""Table knives that lie flat: a blade and a handle."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cousins.families.assembly import Assembly, PartMaterial, single_body
from cousins.families.family import Parameters, ParametricFamily, Range, ranges_of, span
from cousins.families.parts import block, hull


@dataclass(frozen=True, kw_only=True)
class Config:
    """From a butter knife to a kitchen knife, as sold."""

    length_m: Range = span(0.16, 0.32)
    """x, the blade at +x [m]."""
    width_m: Range = span(0.016, 0.04)
    """y, of the blade [m]."""
    height_m: Range = span(0.005, 0.018)
    """z, of the handle [m]."""
    blade_share: Range = span(0.48, 0.62)
    """Length of the blade over the total length."""
    blade_m: Range = span(0.0016, 0.003)
    """Thickness of the blade [m]."""


def build(config: Config) -> ParametricFamily:
    """Return the family."""
    sizes = ("length_m", "width_m", "height_m")
    return ParametricFamily(
        name="knife",
        label="knife",
        ranges=ranges_of(config),
        extents=sizes,
        assemble=_assemble,
        is_valid=lambda v: 6.0 <= v["length_m"] / v["width_m"] <= 12.0,
    )


def _assemble(v: Parameters) -> Assembly:
    length, width, thick = v["length_m"], v["width_m"], v["height_m"]
    joint = length * (1.0 - v["blade_share"])
    outline = [(joint - 0.004, 0.0), (length, 0.0), (length, 0.25 * width), (length - width, width), (joint, width)]
    blade = hull(np.array([(x, y, z) for x, y in outline for z in (0.0, v["blade_m"])]))
    handle = block((joint, 0.7 * width, thick), (joint / 2, 0.5 * width, thick / 2), material_index=1)
    return single_body(
        [blade, handle], PartMaterial(material="metal", finish="metal"), PartMaterial(material="wood", finish="wood")
    )
