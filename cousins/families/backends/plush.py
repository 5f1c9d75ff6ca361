"""Plush animals that sit: a body, a head with ears, arms and legs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cousins.families.assembly import Assembly, PartMaterial, single_body
from cousins.families.family import Parameters, ParametricFamily, Range, ranges_of, span
from cousins.families.parts import SolidPart, hull
from cousins.geometry import Array


@dataclass(frozen=True, kw_only=True)
class Config:
    """From a key-ring bear to one for a bed, as sold."""

    length_m: Range = span(0.09, 0.30)
    """From side to side, x [m]."""
    width_m: Range = span(0.08, 0.26)
    """From back to toes, y [m]."""
    height_m: Range = span(0.11, 0.36)
    """Extent along z [m]."""
    head_share: Range = span(0.32, 0.42)
    """Height of the head over that of the whole object."""
    ear_share: Range = span(0.12, 0.24)
    """Height of an ear over that of the whole object."""


def build(config: Config) -> ParametricFamily:
    """Return the family."""
    sizes = ("length_m", "width_m", "height_m")
    return ParametricFamily(
        name="plush",
        label="plush toy",
        ranges=ranges_of(config),
        extents=sizes,
        assemble=_assemble,
        is_valid=lambda v: 0.7 <= v["length_m"] / v["height_m"] <= 1.05 and 0.75 <= v["width_m"] / v["length_m"] <= 1.1,
    )


def _assemble(v: Parameters) -> Assembly:
    head, ear = v["head_share"], v["ear_share"]
    top = 1.0 - 0.7 * ear
    parts = [
        _egg((0.0, 0.12, 0.3), (0.3, 0.3, 0.36)),
        _egg((0.0, 0.08, top - head / 2), (0.32, 0.3, head / 2)),
        _egg((0.0, -0.16, top - 0.6 * head), (0.13, 0.13, 0.09), material_index=1),
    ]
    for side in (-1.0, 1.0):
        parts.append(_egg((0.2 * side, 0.1, 1.0 - ear / 2), (0.12, 0.08, ear / 2)))
        parts.append(_egg((0.33 * side, -0.02, 0.4), (0.12, 0.14, 0.2)))
        parts.append(_egg((0.22 * side, -0.22, 0.12), (0.14, 0.22, 0.13), low=0.002))
    envelope = np.array([part.solid.bounding_box() for part in parts])
    low, high = envelope[:, :3].min(axis=0), envelope[:, 3:].max(axis=0)
    stretch = np.array([v["length_m"], v["width_m"], v["height_m"]]) / (high - low)
    scaled_parts = [part.scaled(*stretch.tolist()) for part in parts]
    return single_body(
        scaled_parts, PartMaterial(material="fabric", finish="fabric"), PartMaterial(material="fabric", finish="fabric")
    )


def _egg(
    center: tuple[float, float, float], radii: tuple[float, float, float], *, material_index: int = 0, low: float = 0.0
) -> SolidPart:
    """Return an ellipsoid, flat where it would reach below a height."""
    points = np.array(center) + np.array(radii) * _directions()
    points[:, 2] = np.maximum(points[:, 2], low)
    return hull(points, material_index=material_index)


def _directions() -> Array:
    """Return unit vectors spread over a sphere [n, 3] (Fibonacci's lattice)."""
    rank = np.arange(160) + 0.5
    z = 1.0 - 2.0 * rank / 160
    turn = rank * np.pi * (3.0 - np.sqrt(5.0))
    across = np.sqrt(1.0 - z**2)
    return np.stack([across * np.cos(turn), across * np.sin(turn), z], axis=1)
