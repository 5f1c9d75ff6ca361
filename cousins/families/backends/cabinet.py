"""Cabinets with one or two hinged doors and a shelf inside."""

from __future__ import annotations

from dataclasses import dataclass

from cousins.families.assembly import Body, Coat, Shape
from cousins.families.carcass import GAP_M, REACH_M, carcass, door
from cousins.families.family import ParametricFamily, Range, Values, count, ranges_of, span


@dataclass(frozen=True, kw_only=True)
class Config:
    """From a bathroom cabinet to a sideboard, as sold."""

    length_m: Range = span(0.30, 1.0)
    """x [m]."""
    width_m: Range = span(0.25, 0.62)
    """y with door and handle, the front at -y [m]."""
    height_m: Range = span(0.35, 1.2)
    """z [m]."""
    wall_m: Range = span(0.014, 0.02)
    """Thickness of a board [m]."""
    doors: Range = count(1, 2)
    """Number of doors."""
    left: Range = count(0, 1)
    """1 where a single door hangs on the left."""
    opening_rad: Range = span(1.6, 2.0)
    """How far doors turn [rad]."""


def build(config: Config) -> ParametricFamily:
    """Return the family."""
    sizes = ("length_m", "width_m", "height_m")
    return ParametricFamily(
        name="cabinet", label="cabinet", ranges=ranges_of(config), sizes=sizes, shape=_shape, holds=_holds
    )


def _holds(v: Values) -> bool:
    leaf = v["length_m"] / v["doors"]
    return 0.2 <= leaf <= 0.62 and leaf <= 1.6 * v["width_m"] and v["height_m"] <= 3.2 * v["width_m"]


def _shape(v: Values) -> Shape:
    x, wall, high = v["length_m"] / 2, v["wall_m"], v["height_m"]
    front = -v["width_m"] / 2 + REACH_M
    face = front + wall + GAP_M
    body = Body(name="body", parts=carcass((-x, x, face, v["width_m"] / 2, 0.0, high), wall, shelves=[high / 2]))
    leaves, hinges = [], []
    edges = [-x, x] if round(v["doors"]) == 1 else [-x, 0.0, x]
    for number in range(len(edges) - 1):
        left = round(v["left"]) == 1 if len(edges) == 2 else number == 0
        leaf, hinge = door(
            f"door_{number}",
            (edges[number] + GAP_M / 2, edges[number + 1] - GAP_M / 2, front, front + wall, GAP_M, high),
            side="left" if left else "right",
            opening_rad=v["opening_rad"],
            coats=(1, 2),
        )
        leaves.append(leaf)
        hinges.append(hinge)
    coats = (
        Coat(matter="wood", finish="wood"),
        Coat(matter="wood", finish="paint"),
        Coat(matter="metal", finish="metal"),
    )
    return Shape(bodies=(body, *leaves), coats=coats, hinges=hinges)
