"""Fridges with a freezer below: two doors on the same side."""

from __future__ import annotations

from dataclasses import dataclass

from cousins.families.assembly import Body, Coat, Shape
from cousins.families.carcass import GAP_M, REACH_M, carcass, door, slab
from cousins.families.family import ParametricFamily, Range, Values, count, ranges_of, span


@dataclass(frozen=True, kw_only=True)
class Config:
    """From a fridge under a counter to one of 2 m; 600 mm is the usual width."""

    length_m: Range = span(0.45, 0.75)
    """x [m]."""
    width_m: Range = span(0.48, 0.80)
    """y with door and handle, the front at -y [m]."""
    height_m: Range = span(0.80, 2.05)
    """z [m]."""
    freezer_share: Range = span(0.28, 0.42)
    """Height of the freezer's door over the whole."""
    wall_m: Range = span(0.04, 0.055)
    """Thickness of walls and doors [m]."""
    left: Range = count(0, 1)
    """1 where the doors hang on the left."""
    opening_rad: Range = span(1.6, 2.1)
    """How far doors turn [rad]."""


def build(config: Config) -> ParametricFamily:
    """Return the family."""
    sizes = ("length_m", "width_m", "height_m")
    return ParametricFamily(
        name="fridge",
        label="fridge",
        ranges=ranges_of(config),
        sizes=sizes,
        shape=_shape,
        holds=lambda v: 1.4 <= v["height_m"] / v["length_m"] <= 3.4 and v["height_m"] <= 3.3 * v["width_m"],
    )


def _shape(v: Values) -> Shape:
    x, wall, high = v["length_m"] / 2, v["wall_m"], v["height_m"]
    front = -v["width_m"] / 2 + REACH_M
    face, back = front + wall + GAP_M, v["width_m"] / 2
    cut = v["freezer_share"] * high
    parts = carcass((-x, x, face, back, 0.0, high), wall)
    parts.append(slab((-x + wall / 2, x - wall / 2, face, back - wall / 2, cut - wall / 2, cut + wall / 2)))
    doors, hinges = [], []
    for name, low, top in (("freezer_door", GAP_M, cut), ("fridge_door", cut + GAP_M, high)):
        leaf, hinge = door(
            name,
            (-x, x, front, front + wall, low, top),
            side="left" if round(v["left"]) == 1 else "right",
            opening_rad=v["opening_rad"],
            coats=(0, 1),
            handle_m=0.3,
        )
        doors.append(leaf)
        hinges.append(hinge)
    coats = (Coat(matter="furniture", finish="paint"), Coat(matter="metal", finish="metal"))
    return Shape(bodies=(Body(name="body", parts=parts), *doors), coats=coats, hinges=hinges)
