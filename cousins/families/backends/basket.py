"""Baskets: a round hollow of wicker under a bow to carry it by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cousins.families.assembly import Assembly, PartMaterial, single_body
from cousins.families.family import Parameters, ParametricFamily, Range, ranges_of, span
from cousins.families.parts import bent_rod, revolve_shell


@dataclass(frozen=True, kw_only=True)
class Config:
    """From a bread basket to a shopping basket, as sold."""

    diameter_m: Range = span(0.18, 0.42)
    """Diameter of the rim, x and y [m]."""
    height_m: Range = span(0.16, 0.42)
    """Height with the bow handle, z [m]."""
    rim_share: Range = span(0.4, 0.55)
    """Height of the rim over the total height."""
    foot_share: Range = span(0.7, 0.9)
    """Diameter of the bottom over that of the rim."""
    wall_m: Range = span(0.006, 0.01)
    """Thickness of the wicker [m]."""


def build(config: Config) -> ParametricFamily:
    """Return the family."""
    sizes = ("diameter_m", "diameter_m", "height_m")
    return ParametricFamily(
        name="basket",
        label="basket",
        ranges=ranges_of(config),
        extents=sizes,
        assemble=_assemble,
        is_valid=lambda v: 0.75 <= v["height_m"] / v["diameter_m"] <= 1.15,
        hollow=True,
    )


def _assemble(v: Parameters) -> Assembly:
    rim, wall = v["diameter_m"] / 2, v["wall_m"]
    high = v["rim_share"] * v["height_m"]
    foot = rim * v["foot_share"]
    inside = foot + (rim - foot) * wall / high - wall
    body = revolve_shell([(foot, 0.0), (rim, high)], [(inside, wall), (rim - wall, high)], sides=16)
    thick = 0.6 * wall
    turn = np.linspace(0.0, np.pi, 9)
    lift = v["height_m"] - high - thick + 0.02
    path = np.stack([(rim - wall / 2) * np.cos(turn), np.zeros(9), high - 0.02 + lift * np.sin(turn)], axis=1)
    path[:, 0] *= 1.0 - 0.1 * wall / rim
    return single_body([body, bent_rod(path, (1.4 * thick, thick))], PartMaterial(material="wood", finish="wicker"))
