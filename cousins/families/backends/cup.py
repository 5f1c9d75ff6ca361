"""Cups and tumblers: a hollow without a handle."""

from __future__ import annotations

from dataclasses import dataclass

from cousins.families.assembly import Coat, Shape, rigid_shape
from cousins.families.family import ParametricFamily, Range, Values, ranges_of, span
from cousins.families.parts import shell


@dataclass(frozen=True, kw_only=True)
class Config:
    """From an espresso cup to a one-litre tumbler, as sold."""

    diameter_m: Range = span(0.055, 0.12)
    """Of the rim, x and y [m]."""
    height_m: Range = span(0.055, 0.16)
    """z [m]."""
    foot_share: Range = span(0.65, 0.98)
    """Diameter of the foot over that of the rim."""
    wall_m: Range = span(0.002, 0.0045)
    """Thickness of the wall [m]."""
    bottom_m: Range = span(0.004, 0.009)
    """Thickness of the bottom [m]."""


def build(config: Config) -> ParametricFamily:
    """Return the family."""
    sizes = ("diameter_m", "diameter_m", "height_m")
    return ParametricFamily(
        name="cup",
        label="cup",
        ranges=ranges_of(config),
        sizes=sizes,
        shape=_shape,
        holds=lambda v: 0.8 <= v["height_m"] / v["diameter_m"] <= 1.9,
        hollow=True,
    )


def _shape(v: Values) -> Shape:
    rim, height, wall, bottom = v["diameter_m"] / 2, v["height_m"], v["wall_m"], v["bottom_m"]
    foot = rim * v["foot_share"]
    inside = foot + (rim - foot) * bottom / height - wall
    body = shell([(foot, 0.0), (rim, height)], [(inside, bottom), (rim - wall, height)], sides=16)
    return rigid_shape([body], Coat(matter="plastic", finish="plastic"))
