"""Balls, from table tennis to football."""

from __future__ import annotations

from dataclasses import dataclass

from cousins.families.assembly import Coat, Shape, rigid_shape
from cousins.families.family import ParametricFamily, Range, Values, ranges_of, span
from cousins.families.parts import ball


@dataclass(frozen=True, kw_only=True)
class Config:
    """Table tennis 40 mm (ITTF), tennis 65 to 69 mm (ITF), football size 5 216 to 223 mm (IFAB)."""

    diameter_m: Range = span(0.038, 0.225)
    """In all directions [m]."""


def build(config: Config) -> ParametricFamily:
    """Return the family."""
    sizes = ("diameter_m", "diameter_m", "diameter_m")
    return ParametricFamily(name="ball", label="ball", ranges=ranges_of(config), sizes=sizes, shape=_shape)


def _shape(v: Values) -> Shape:
    small = v["diameter_m"] < 0.075
    matter = Coat(matter="rubber", finish="rubber") if small else Coat(matter="fabric", finish="plastic")
    return rigid_shape([ball(v["diameter_m"] / 2, (0.0, 0.0, 0.0))], matter)
