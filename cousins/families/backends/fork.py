"""Forks that lie flat: four tines, a neck and a handle."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from cousins.families.assembly import Assembly, PartMaterial, single_body
from cousins.families.family import Parameters, ParametricFamily, Range, count, ranges_of, span
from cousins.families.parts import block, hull


@dataclass(frozen=True, kw_only=True)
class Config:
    """From a cake fork to a serving fork, as sold."""

    length_m: Range = span(0.14, 0.26)
    """x, the tines at +x [m]."""
    width_m: Range = span(0.018, 0.032)
    """y, over the tines [m]."""
    height_m: Range = span(0.006, 0.014)
    """z: the handle's end lies on the floor, the neck rises [m]."""
    tines: Range = count(3, 4)
    """Number of tines."""
    thick_m: Range = span(0.002, 0.003)
    """Thickness of the metal [m]."""


def build(config: Config) -> ParametricFamily:
    """Return the family."""
    sizes = ("length_m", "width_m", "height_m")
    return ParametricFamily(
        name="fork",
        label="fork",
        ranges=ranges_of(config),
        extents=sizes,
        assemble=_assemble,
        is_valid=lambda v: 6.0 <= v["length_m"] / v["width_m"] <= 10.0,
    )


def _assemble(v: Parameters) -> Assembly:
    length, width, rise, thick = v["length_m"], v["width_m"], v["height_m"] - v["thick_m"], v["thick_m"]
    stations = [
        (0.0, 0.6 * width, 0.0), (0.45 * length, 0.3 * width, rise), (0.62 * length, 0.28 * width, rise),
        (0.7 * length, width, 0.4 * rise), (0.78 * length, width, 0.0),
    ]  # fmt: skip
    parts = [
        hull(np.array([(x, side * w / 2, z + up) for x, w, z in pair for side in (-1, 1) for up in (0.0, thick)]))
        for pair in pairwise(stations)
    ]
    number = round(v["tines"])
    tine = 0.5 * width / number
    for place in np.linspace(-(width - tine) / 2, (width - tine) / 2, number):
        parts.append(block((0.23 * length, tine, thick), (0.885 * length, float(place), thick / 2)))
    return single_body(parts, PartMaterial(material="metal", finish="metal"))
