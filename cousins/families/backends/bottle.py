"""Bottles, full and closed: a body, a shoulder, a neck and a cap."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from cousins.families.assembly import Coat, Shape, rigid_shape
from cousins.families.family import ParametricFamily, Range, Values, ranges_of, span
from cousins.families.parts import turned


@dataclass(frozen=True, kw_only=True)
class Config:
    """From a 100 ml bottle of lotion to a 1.5 l bottle of water."""

    diameter_m: Range = span(0.04, 0.10)
    """Of the body, x and y [m]."""
    height_m: Range = span(0.10, 0.34)
    """With the cap, z [m]."""
    body_share: Range = span(0.5, 0.72)
    """Height of the shoulder's foot over the whole height."""
    shoulder_share: Range = span(0.1, 0.24)
    """Height of the shoulder over the whole height."""
    neck_share: Range = span(0.32, 0.55)
    """Diameter of the neck over that of the body."""
    cap_share: Range = span(0.07, 0.13)
    """Height of the cap over the whole height."""


def build(config: Config) -> ParametricFamily:
    """Return the family."""
    sizes = ("diameter_m", "diameter_m", "height_m")
    return ParametricFamily(
        name="bottle", label="bottle", ranges=ranges_of(config), sizes=sizes, shape=_shape, holds=_holds
    )


def _holds(v: Values) -> bool:
    slim = 1.8 <= v["height_m"] / v["diameter_m"] <= 4.6
    return slim and v["body_share"] + v["shoulder_share"] + v["cap_share"] <= 0.97


def _shape(v: Values) -> Shape:
    radius, height = v["diameter_m"] / 2, v["height_m"]
    neck = radius * v["neck_share"]
    low, high = v["body_share"] * height, (v["body_share"] + v["shoulder_share"]) * height
    cap = (1.0 - v["cap_share"]) * height
    bend = np.linspace(0.0, np.pi / 2, 5)[1:]
    shoulder = [(neck + (radius - neck) * np.cos(a), low + (high - low) * np.sin(a)) for a in bend]
    foot, edge = 0.1 * radius, 0.03 * height
    whole = turned([(radius - foot, 0.0), (radius, foot), (radius, low), *shoulder], convex=True)
    base = turned([(radius - foot, 0.0), (radius, foot), (radius, edge + foot)])
    label = turned([(radius, edge + foot), (radius, low)], coat=1, fitted=True)
    top = turned([(radius, low), *shoulder, (neck, cap)])
    body = replace(top, pieces=(*whole.pieces, top.pieces[-1]))
    lid = turned([(1.12 * neck, cap - 0.25 * v["cap_share"] * height), (1.12 * neck, height)], coat=2)
    matter = "filled container"
    return rigid_shape(
        [base.bare(), label.bare(), body, lid],
        Coat(matter=matter, finish="plastic"),
        Coat(matter=matter, finish="print"),
        Coat(matter=matter, finish="plastic"),
    )
