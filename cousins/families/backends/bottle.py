"""Bottles, full and closed: a body, a shoulder, a neck and a cap."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from cousins.families.assembly import Assembly, PartMaterial, single_body
from cousins.families.family import Parameters, ParametricFamily, Range, ranges_of, span
from cousins.families.parts import revolve


@dataclass(frozen=True, kw_only=True)
class Config:
    """From a 100 ml bottle of lotion to a 1.5 l bottle of water."""

    diameter_m: Range = span(0.04, 0.10)
    """Diameter of the body, x and y [m]."""
    height_m: Range = span(0.10, 0.34)
    """Height with the cap, z [m]."""
    body_share: Range = span(0.5, 0.72)
    """Height of the shoulder's foot over the total height."""
    shoulder_share: Range = span(0.1, 0.24)
    """Height of the shoulder over the total height."""
    neck_share: Range = span(0.32, 0.55)
    """Diameter of the neck over that of the body."""
    cap_share: Range = span(0.07, 0.13)
    """Height of the cap over the total height."""


def build(config: Config) -> ParametricFamily:
    """Return the family."""
    sizes = ("diameter_m", "diameter_m", "height_m")
    return ParametricFamily(
        name="bottle", label="bottle", ranges=ranges_of(config), extents=sizes, assemble=_assemble, is_valid=_is_valid
    )


def _is_valid(v: Parameters) -> bool:
    slim = 1.8 <= v["height_m"] / v["diameter_m"] <= 4.6
    return slim and v["body_share"] + v["shoulder_share"] + v["cap_share"] <= 0.97


def _assemble(v: Parameters) -> Assembly:
    radius, height = v["diameter_m"] / 2, v["height_m"]
    neck = radius * v["neck_share"]
    low, high = v["body_share"] * height, (v["body_share"] + v["shoulder_share"]) * height
    cap = (1.0 - v["cap_share"]) * height
    bend = np.linspace(0.0, np.pi / 2, 5)[1:]
    shoulder = [(neck + (radius - neck) * np.cos(a), low + (high - low) * np.sin(a)) for a in bend]
    foot, edge = 0.1 * radius, 0.03 * height
    envelope = revolve([(radius - foot, 0.0), (radius, foot), (radius, low), *shoulder], convex=True)
    base = revolve([(radius - foot, 0.0), (radius, foot), (radius, edge + foot)])
    label = revolve([(radius, edge + foot), (radius, low)], material_index=1, stretch_texture=True)
    top = revolve([(radius, low), *shoulder, (neck, cap)])
    body = replace(top, pieces=(*envelope.pieces, top.pieces[-1]))
    lid = revolve([(1.12 * neck, cap - 0.25 * v["cap_share"] * height), (1.12 * neck, height)], material_index=2)
    material = "filled container"
    return single_body(
        [base.without_pieces(), label.without_pieces(), body, lid],
        PartMaterial(material=material, finish="plastic"),
        PartMaterial(material=material, finish="print"),
        PartMaterial(material=material, finish="plastic"),
    )
