"""Names of objects by geometry alone: box, cylinder, cup-like, with sizes in centimetres."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import ConvexHull, QhullError

from cousins.geometry import Array

THIN_PLATE_M = 0.02
"""Height below which a wide object is called a thin plate [m]: phone LiDAR resolves no less than 1 to 2 cm."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class UprightBoundingBox:
    """Smallest box with vertical sides around a set of points."""

    center: Array
    """Middle of the box in the world [m], float64 [3]."""
    axes: Array
    """Unit axes as rows, longest level one first, up last, float64 [3, 3]."""
    size_m: Array
    """Lengths along the axes [m], float64 [3]."""


@dataclass(frozen=True, kw_only=True)
class Label:
    """A name with its confidence."""

    text: str
    """Such as `box 19×12×5 cm`."""
    score: float
    """Confidence of its source, 0 to 1; for geometry the share of the points that the named shape explains."""
    source: str = "geometry"
    """Source of the name: `geometry`, `yolox`, `clip`, `RoomPlan` or `user`."""


def fit_upright_box(points: Array, up: Array | None = None) -> UprightBoundingBox:
    """Fit the upright box of least ground area to points [n, 3]; outermost 1 % of the points are left out."""
    up = np.array([0.0, 0.0, 1.0]) if up is None else up
    reference_axis = np.array([1.0, 0.0, 0.0]) if abs(up[0]) < 0.9 else np.array([0.0, 1.0, 0.0])
    first = np.cross(reference_axis, up)
    first /= np.linalg.norm(first)
    second = np.cross(up, first)
    flat = points @ np.stack([first, second]).T
    best = min((_rectangle_at(flat, angle) for angle in _edge_angles(flat)), key=lambda rectangle: rectangle[0])
    _, angle, low, high = best
    long_axis = np.cos(angle) * first + np.sin(angle) * second
    axes = np.stack([long_axis, np.cross(up, long_axis), up])
    bottom, top = np.quantile(points @ up, [0.005, 0.995])
    low, high = np.append(low, bottom), np.append(high, top)
    if high[1] - low[1] > high[0] - low[0]:
        axes = np.stack([axes[1], -axes[0], up])
        low, high = np.array([low[1], -high[0], bottom]), np.array([high[1], -low[0], top])
    return UprightBoundingBox(center=0.5 * (low + high) @ axes, axes=axes, size_m=high - low)


def name_by_geometry(points: Array, up: Array | None = None) -> Label:
    """Return a name with sizes in centimetres for surface points [n, 3] of one object."""
    if len(points) < 20:
        return Label(text="small object", score=0.0)
    box = fit_upright_box(points, up)
    local_points = (points - box.center) @ box.axes.T
    long_m, wide_m, high_m = box.size_m
    sizes = f"{_format_cm(long_m)}×{_format_cm(wide_m)}×{_format_cm(high_m)} cm"
    if high_m < THIN_PLATE_M and long_m > 4.0 * high_m:
        return Label(text=f"thin plate {sizes}", score=0.5)
    if long_m < 1.3 * wide_m:
        round_share, hollow = _roundness_and_hollow(local_points, box.size_m)
        wide = f"ø{_format_cm(0.5 * (long_m + wide_m))}×{_format_cm(high_m)} cm"
        if round_share > 0.8 and hollow:
            return Label(text=f"{'bowl' if high_m < 0.7 * long_m else 'cup'}-like {wide}", score=round_share)
        if round_share > 0.8:
            return Label(text=f"cylinder {wide}", score=round_share)
    boxy = _boxiness(local_points, box.size_m)
    return Label(text=f"{'box' if boxy > 0.75 else 'object'} {sizes}", score=boxy if boxy > 0.75 else 0.3)


def _format_cm(length_m: float) -> str:
    return f"{100.0 * length_m:.0f}" if length_m >= 0.0095 else f"{100.0 * length_m:.1f}"


def _edge_angles(flat: Array) -> Array:
    try:
        corners = flat[ConvexHull(flat).vertices]
    except QhullError:
        return np.zeros(1)
    sides = np.roll(corners, -1, axis=0) - corners
    return np.unique(np.round(np.arctan2(sides[:, 1], sides[:, 0]) % (0.5 * np.pi), 3))


def _rectangle_at(flat: Array, angle: float) -> tuple[float, float, Array, Array]:
    turned = flat @ np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    low, high = np.quantile(turned, 0.005, axis=0), np.quantile(turned, 0.995, axis=0)
    return float(np.prod(high - low)), float(angle), low, high


def _roundness_and_hollow(local_points: Array, size_m: Array) -> tuple[float, bool]:
    """Return the share of side points near one circle, and whether the middle is open from above."""
    radius = 0.25 * (size_m[0] + size_m[1])
    radial = np.linalg.norm(local_points[:, :2], axis=1)
    tolerance = max(0.006, 0.12 * radius)
    top = 0.5 * size_m[2]
    side = local_points[:, 2] < top - max(0.01, 0.1 * size_m[2])
    if side.sum() < 20:
        return 0.0, False
    is_central = radial < 0.5 * radius
    depth = top - float(np.quantile(local_points[is_central, 2], 0.9)) if is_central.sum() >= 5 else 0.0
    hollow = depth > max(0.015, 0.25 * size_m[2])
    rim = local_points[:, 2] > top - max(0.01, 0.15 * size_m[2])
    ring = rim if hollow else (side & (radial > 0.6 * radius))
    share = float((np.abs(radial[ring] - radius) < 1.5 * tolerance).mean()) if ring.any() else 0.0
    sectors = np.floor((np.arctan2(local_points[ring, 1], local_points[ring, 0]) + np.pi) / (2.0 * np.pi) * 12.0)
    share *= len(np.unique(sectors)) / 13.0 if len(np.unique(sectors)) < 11 else 1.0
    corners = float((radial > radius + 2.0 * tolerance).mean())
    return max(0.0, share - 4.0 * corners), hollow


def _boxiness(local_points: Array, size_m: Array) -> float:
    """Return the share of points that lie near a face of the box."""
    gap = (0.5 * size_m - np.abs(local_points)).min(axis=1)
    return float((gap < max(0.008, 0.06 * float(size_m.min()))).mean())
