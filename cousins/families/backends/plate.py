"""Plates: a flat middle inside a rim that rises."""

from __future__ import annotations

from dataclasses import dataclass

from cousins.families.assembly import Coat, Shape, rigid_shape
from cousins.families.family import ParametricFamily, Range, Values, ranges_of, span
from cousins.families.parts import shell


@dataclass(frozen=True, kw_only=True)
class Config:
    """From a saucer to a dinner plate, as sold."""

    diameter_m: Range = span(0.14, 0.30)
    """Of the rim, x and y [m]."""
    height_m: Range = span(0.014, 0.04)
    """z [m]."""
    well_share: Range = span(0.58, 0.75)
    """Diameter of the flat middle over that of the rim."""
    wall_m: Range = span(0.004, 0.006)
    """Thickness [m]."""


def build(config: Config) -> ParametricFamily:
    """Return the family."""
    sizes = ("diameter_m", "diameter_m", "height_m")
    return ParametricFamily(
        name="plate",
        label="plate",
        ranges=ranges_of(config),
        sizes=sizes,
        shape=_shape,
        holds=lambda v: 0.08 <= v["height_m"] / v["diameter_m"] <= 0.16,
        hollow=True,
    )


def _shape(v: Values) -> Shape:
    rim, height, wall = v["diameter_m"] / 2, v["height_m"], v["wall_m"]
    well = rim * v["well_share"]
    outer = [(well, 0.0), (rim, height - 0.6 * wall)]
    inner = [(well - 0.004, wall), (rim, height)]
    return rigid_shape([shell(outer, inner, sides=16)], Coat(matter="ceramic", finish="ceramic"))
