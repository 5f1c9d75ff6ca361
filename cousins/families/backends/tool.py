"""Hammers: a handle with a head across its end."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cousins.families.assembly import Assembly, PartMaterial, single_body
from cousins.families.family import Parameters, ParametricFamily, Range, ranges_of, span
from cousins.families.parts import block, cylinder, hull


@dataclass(frozen=True, kw_only=True)
class Config:
    """From a tack hammer to a mallet (DIN 1041 goes from 50 g to 2 kg)."""

    length_m: Range = span(0.20, 0.36)
    """x, the head at +x [m]."""
    width_m: Range = span(0.08, 0.14)
    """y, along the head [m]."""
    height_m: Range = span(0.022, 0.04)
    """z, thickness of the head [m]."""
    grip_share: Range = span(0.7, 0.95)
    """Thickness of the handle over that of the head."""
    face_share: Range = span(0.26, 0.36)
    """Length of the striking face's neck over the head's."""


def build(config: Config) -> ParametricFamily:
    """Return the family."""
    sizes = ("length_m", "width_m", "height_m")
    return ParametricFamily(
        name="tool",
        label="hammer",
        ranges=ranges_of(config),
        extents=sizes,
        assemble=_assemble,
        is_valid=lambda v: 2.0 <= v["length_m"] / v["width_m"] <= 3.2,
    )


def _assemble(v: Parameters) -> Assembly:
    length, width, thick = v["length_m"], v["width_m"], v["height_m"]
    head, half = length - thick / 2, thick / 2
    turn = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
    face = cylinder(half, -width / 2, (v["face_share"] - 0.5) * width).transformed(turn).translated(x=head, z=half)
    middle = block((0.8 * thick, 0.75 * width, 0.8 * thick), (head, -0.02 * width, half))
    tip = [(x, y, half + side * z) for x, y, z in _peen(head, width, thick) for side in (-1, 1)]
    grip = v["grip_share"] * thick
    handle = block((head, grip, 0.8 * grip), (head / 2, 0.0, half), material_index=1)
    foot = block((0.3 * length, 1.1 * grip, thick), (0.15 * length, 0.0, half), material_index=1)
    return single_body(
        [middle, face, hull(np.array(tip)), handle, foot],
        PartMaterial(material="metal", finish="metal"),
        PartMaterial(material="wood", finish="wood"),
    )


def _peen(head: float, width: float, thick: float) -> list[tuple[float, float, float]]:
    """Return the corners of the wedge at the other end, (x, y, half height)."""
    near, far = [0.3 * width, 0.5 * width]
    return [
        (head - 0.4 * thick, near, 0.4 * thick), (head + 0.4 * thick, near, 0.4 * thick),
        (head - 0.4 * thick, far, 0.08 * thick), (head + 0.4 * thick, far, 0.08 * thick),
    ]  # fmt: skip
