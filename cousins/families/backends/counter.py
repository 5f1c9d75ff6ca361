"""Kitchen counters: drawers and a door under a worktop, side by side."""

from __future__ import annotations

from dataclasses import dataclass

from cousins.families.assembly import Body, Coat, Hinge, Shape
from cousins.families.carcass import GAP_M, REACH_M, carcass, door, drawer, slab
from cousins.families.family import ParametricFamily, Range, Values, count, ranges_of, span


@dataclass(frozen=True, kw_only=True)
class Config:
    """Base units 600 mm deep under a worktop at 850 to 950 mm (EN 1116)."""

    length_m: Range = span(0.8, 1.8)
    """x [m]."""
    width_m: Range = span(0.56, 0.72)
    """y with handles, the front at -y [m]."""
    height_m: Range = span(0.80, 1.0)
    """z [m]."""
    top_m: Range = span(0.025, 0.045)
    """Thickness of the worktop [m]."""
    drawers: Range = count(2, 4)
    """Drawers at the left."""
    split: Range = span(0.42, 0.58)
    """Width of the drawers over the whole."""
    wall_m: Range = span(0.016, 0.02)
    """Thickness of a board [m]."""
    opening_rad: Range = span(1.6, 1.9)
    """How far the door turns [rad]."""


def build(config: Config) -> ParametricFamily:
    """Return the family."""
    sizes = ("length_m", "width_m", "height_m")
    return ParametricFamily(
        name="counter",
        label="kitchen counter",
        ranges=ranges_of(config),
        sizes=sizes,
        shape=_shape,
        holds=lambda v: v["length_m"] * (1.0 - v["split"]) <= 0.95,
    )


def _shape(v: Values) -> Shape:
    x, wall, high = v["length_m"] / 2, v["wall_m"], v["height_m"] - v["top_m"]
    front = -v["width_m"] / 2 + REACH_M
    face, back = front + wall + GAP_M, v["width_m"] / 2
    cut = -x + v["split"] * v["length_m"]
    parts = carcass((-x, x, face, back, 0.0, high + 0.001), wall)
    parts.append(slab((cut - wall / 2, cut + wall / 2, face, back - wall / 2, wall / 2, high - wall / 2)))
    parts.append(slab((-x, x, front + wall / 2, back, high, v["height_m"]), coat=3))
    bodies, hinges = _drawers(v, (-x, cut, face, back, front), high)
    leaf, hinge = door(
        "door",
        (cut + GAP_M / 2, x, front, front + wall, GAP_M, high - GAP_M),
        side="right",
        opening_rad=v["opening_rad"],
        coats=(1, 2),
    )
    coats = (
        Coat(matter="wood", finish="paint"),
        Coat(matter="wood", finish="paint"),
        Coat(matter="metal", finish="metal"),
        Coat(matter="wood", finish="wood"),
    )
    return Shape(bodies=(Body(name="body", parts=parts), *bodies, leaf), coats=coats, hinges=(*hinges, hinge))


def _drawers(v: Values, place: tuple[float, float, float, float, float], high: float) -> tuple[list[Body], list[Hinge]]:
    """Return the drawers between two x, behind the front."""
    left, right, face, back, front = place
    wall, number = v["wall_m"], round(v["drawers"])
    step = (high - 2.0 * wall) / number
    bodies, hinges = [], []
    for index in range(number):
        low = wall + index * step
        foot = GAP_M if index == 0 else low + GAP_M / 2
        head = high - GAP_M if index == number - 1 else low + step - GAP_M / 2
        box, slide = drawer(
            f"drawer_{index}",
            (left, right - GAP_M / 2, front, front + wall, foot, head),
            (left + wall, right - wall / 2, face, back - wall, low, low + step),
            wall_m=0.012,
            coats=(1, 2),
            travel=0.75,
        )
        bodies.append(box)
        hinges.append(slide)
    return bodies, hinges
