"""Spoons that lie flat: an oval bowl and a handle."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from cousins.families.assembly import Assembly, PartMaterial, single_body
from cousins.families.family import Parameters, ParametricFamily, Range, ranges_of, span
from cousins.families.parts import hull, revolve_shell


@dataclass(frozen=True, kw_only=True)
class Config:
    """From a tea spoon to a serving spoon, as sold."""

    length_m: Range = span(0.13, 0.27)
    """x, the bowl at +x [m]."""
    width_m: Range = span(0.028, 0.055)
    """y, of the bowl [m]."""
    height_m: Range = span(0.010, 0.020)
    """z, of the bowl's rim [m]."""
    bowl_share: Range = span(1.35, 1.6)
    """Length of the bowl over its width."""
    thick_m: Range = span(0.0018, 0.0028)
    """Thickness of the metal [m]."""


def build(config: Config) -> ParametricFamily:
    """Return the family."""
    sizes = ("length_m", "width_m", "height_m")
    return ParametricFamily(
        name="spoon",
        label="spoon",
        ranges=ranges_of(config),
        extents=sizes,
        assemble=_assemble,
        is_valid=lambda v: 4.0 <= v["length_m"] / v["width_m"] <= 5.5 and v["height_m"] < 0.4 * v["width_m"],
    )


def _assemble(v: Parameters) -> Assembly:
    length, width, height, thick = v["length_m"], v["width_m"], v["height_m"], v["thick_m"]
    rim = width / 2
    outer = [(0.5 * rim, 0.0), (0.86 * rim, 0.4 * height), (rim, height)]
    inner = [(0.5 * rim - thick / 2, thick), (0.86 * rim - thick, 0.4 * height + thick / 2), (rim - thick, height)]
    bowl = revolve_shell(outer, inner).scaled(v["bowl_share"], 1.0, 1.0)
    end = rim * v["bowl_share"]
    bowl = bowl.translated(x=length - end)
    neck = length - 2.0 * end
    stations = [
        (0.0, 0.5 * width, 0.0),
        (0.6 * neck, 0.22 * width, 0.6 * height),
        (neck + 0.004, 0.2 * width, height - thick - 4e-4),
    ]
    handle = [
        hull(np.array([(x, side * w / 2, z + up) for x, w, z in pair for side in (-1, 1) for up in (0.0, thick)]))
        for pair in pairwise(stations)
    ]
    return single_body([bowl, *handle], PartMaterial(material="metal", finish="metal"))
