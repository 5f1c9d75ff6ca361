"""Drawer units: two to five drawers above each other."""

from __future__ import annotations

from dataclasses import dataclass

from cousins.families.assembly import Body, Coat, Shape
from cousins.families.carcass import GAP_M, REACH_M, carcass, drawer
from cousins.families.family import ParametricFamily, Range, Values, count, ranges_of, span


@dataclass(frozen=True, kw_only=True)
class Config:
    """From a box with drawers for a desk to a chest of drawers, as sold."""

    length_m: Range = span(0.20, 1.0)
    """x [m]."""
    width_m: Range = span(0.22, 0.60)
    """y with handles, the front at -y [m]."""
    height_m: Range = span(0.22, 1.2)
    """z [m]."""
    wall_m: Range = span(0.012, 0.02)
    """Thickness of a board [m]."""
    drawers: Range = count(2, 5)
    """Number of drawers."""
    travel: Range = span(0.65, 0.8)
    """How far a drawer comes out, over its depth."""


def build(config: Config) -> ParametricFamily:
    """Return the family."""
    sizes = ("length_m", "width_m", "height_m")
    return ParametricFamily(
        name="drawer_unit", label="drawer unit", ranges=ranges_of(config), sizes=sizes, shape=_shape, holds=_holds
    )


def _holds(v: Values) -> bool:
    return 0.09 <= v["height_m"] / v["drawers"] <= 0.3 and v["height_m"] <= 3.0 * v["width_m"]


def _shape(v: Values) -> Shape:
    x, wall, high = v["length_m"] / 2, v["wall_m"], v["height_m"]
    front = -v["width_m"] / 2 + REACH_M
    face, back = front + wall + GAP_M, v["width_m"] / 2
    body = Body(name="body", parts=carcass((-x, x, face, back, 0.0, high), wall))
    number = round(v["drawers"])
    step = (high - 2.0 * wall) / number
    boxes, slides = [], []
    for index in range(number):
        low = wall + index * step
        foot = GAP_M if index == 0 else low + GAP_M / 2
        head = high if index == number - 1 else low + step - GAP_M / 2
        box, slide = drawer(
            f"drawer_{index}",
            (-x, x, front, front + wall, foot, head),
            (-x + wall, x - wall, face, back - wall, low, low + step),
            wall_m=0.7 * wall,
            coats=(1, 2),
            travel=v["travel"],
        )
        boxes.append(box)
        slides.append(slide)
    coats = (
        Coat(matter="wood", finish="wood"),
        Coat(matter="wood", finish="wood"),
        Coat(matter="metal", finish="metal"),
    )
    return Shape(bodies=(body, *boxes), coats=coats, hinges=slides)
