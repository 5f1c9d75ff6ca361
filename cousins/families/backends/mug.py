"""Mugs: a hollow with a handle at +x."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cousins.families.assembly import Assembly, PartMaterial, single_body
from cousins.families.family import Parameters, ParametricFamily, Range, ranges_of, span
from cousins.families.parts import bent_rod, revolve_shell


@dataclass(frozen=True, kw_only=True)
class Config:
    """Mugs of 0.2 to 0.6 l, as sold."""

    length_m: Range = span(0.095, 0.155)
    """Length with the handle, x [m]."""
    diameter_m: Range = span(0.07, 0.105)
    """Diameter of the rim, y [m]."""
    height_m: Range = span(0.075, 0.125)
    """Extent along z [m]."""
    foot_share: Range = span(0.72, 1.0)
    """Diameter of the foot over that of the rim."""
    wall_m: Range = span(0.0035, 0.0055)
    """Thickness of the wall [m]."""
    bottom_m: Range = span(0.005, 0.008)
    """Thickness of the bottom [m]."""
    handle_m: Range = span(0.009, 0.014)
    """Width of the handle [m]."""
    handle_share: Range = span(0.5, 0.72)
    """Height of the handle over that of the mug."""


def build(config: Config) -> ParametricFamily:
    """Return the family."""
    sizes = ("length_m", "diameter_m", "height_m")
    return ParametricFamily(
        name="mug",
        label="mug",
        ranges=ranges_of(config),
        extents=sizes,
        assemble=_assemble,
        is_valid=_is_valid,
        hollow=True,
    )


def _is_valid(v: Parameters) -> bool:
    reach = v["length_m"] - v["diameter_m"]
    return 0.024 <= reach <= 0.05 and 0.8 <= v["height_m"] / v["diameter_m"] <= 1.4


def _assemble(v: Parameters) -> Assembly:
    rim, height, wall, bottom = v["diameter_m"] / 2, v["height_m"], v["wall_m"], v["bottom_m"]
    foot = rim * v["foot_share"]
    lean = (rim - foot) / height
    inside = (foot + bottom * lean - wall, bottom)
    body = revolve_shell(
        [(foot - 0.003, 0.0), (foot + 0.004 * lean, 0.004), (rim, height)],
        [inside, inside, (rim - wall, height)],
        sides=16,
        floor=2,
    )
    thick = 0.45 * v["handle_m"]
    reach = v["length_m"] - v["diameter_m"] - thick
    tall = v["handle_share"] * height / 2 - thick
    turn = np.linspace(-0.5 * np.pi, 0.5 * np.pi, 7)
    bow = np.sign(np.cos(turn)) * np.abs(np.cos(turn)) ** 0.6
    path = np.stack([reach * bow, np.zeros(7), height / 2 + tall * np.sin(turn)], axis=1)
    path[:, 0] += (1.0 - bow) * (foot + lean * path[:, 2] - 0.4 * wall) + bow * rim
    return single_body(
        [body, bent_rod(path, (v["handle_m"] / 2, thick))], PartMaterial(material="ceramic", finish="ceramic")
    )
