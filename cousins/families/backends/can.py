"""Cans: a cylinder with a label between two rims."""

from __future__ import annotations

from dataclasses import dataclass, replace

from cousins.families.assembly import Coat, Shape, rigid_shape
from cousins.families.family import ParametricFamily, Range, Values, ranges_of, span
from cousins.families.parts import cylinder, turned


@dataclass(frozen=True, kw_only=True)
class Config:
    """From a flat fish tin to a large can of tomatoes; a 330 ml can is 66 by 115 mm."""

    diameter_m: Range = span(0.05, 0.11)
    """x and y [m]."""
    height_m: Range = span(0.035, 0.18)
    """z [m]."""
    rim_m: Range = span(0.003, 0.007)
    """Height of a rim [m]."""


def build(config: Config) -> ParametricFamily:
    """Return the family."""
    sizes = ("diameter_m", "diameter_m", "height_m")
    return ParametricFamily(name="can", label="can", ranges=ranges_of(config), sizes=sizes, shape=_shape, holds=_holds)


def _holds(v: Values) -> bool:
    return 0.45 <= v["height_m"] / v["diameter_m"] <= 2.2


def _shape(v: Values) -> Shape:
    radius, height, rim = v["diameter_m"] / 2, v["height_m"], v["rim_m"]
    inner = radius - 0.001
    label = turned([(inner, rim), (inner, height - rim)], coat=1, fitted=True)
    ends = [turned([(radius, low), (radius, low + 1.05 * rim)]) for low in (0.0, height - 1.05 * rim)]
    whole = cylinder(radius, 0.0, height)
    parts = [replace(ends[0], pieces=whole.pieces), ends[1].bare(), label.bare()]
    matter = "filled container"
    return rigid_shape(parts, Coat(matter=matter, finish="metal"), Coat(matter=matter, finish="print"))
