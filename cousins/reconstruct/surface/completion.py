"""Fit simple solids to the observed side of an object, to complete the side that no view observed.

Each candidate stands upright on the support: a box, or a body of revolution about a vertical axis. A candidate is
accepted when most of the measured points lie on it within the noise; it then fills unobserved space.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from cousins.geometry import Array

SOLID_NAMES = ("box", "revolution")
"""Names of the candidates."""
YAW_STEPS = 90
"""Number of yaw angles tried for a box, over a quarter turn."""
REVOLUTION_LAYERS = 12
"""Number of heights at which a body of revolution has its own radius."""
MIN_INLIER_SHARE = 0.8
"""Fraction of the points that must lie on an accepted candidate."""
MAX_STRAY_SHARE = 0.015
"""Fraction of the points that may lie beyond either end of a box."""
MIN_TURN_RAD = np.deg2rad(100.0)
"""Smallest part of the turn about its axis that the points of a body of revolution span: a view shows almost half of
it, while a flat face fits a circle that is large enough."""
TURN_SECTORS = 36
"""Sectors by which that part is counted."""
MIN_SECTOR_SHARE = 0.3
"""Fewest points of a sector that is spanned, as a share of what each would have if all had the same."""
MIN_FIT_POINTS = 80
"""Fewest points to which a solid is fitted."""


class Solid(Protocol):
    """A solid with a signed distance."""

    @property
    def name(self) -> str:
        """Name of the completion."""
        ...

    def distance_m(self, points: Array) -> Array:
        """Return signed distances [n] of points [n, 3], positive outside [m]."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class BoxSolid:
    """A box with vertical sides."""

    center: Array
    """Middle in the world [m], float64 [3]."""
    half_m: Array
    """Half of its sides along its own axes [m], float64 [3]."""
    yaw_rad: float
    """Rotation of its first axis about z [rad]."""
    name: str = "box"
    """Name of the completion."""

    def distance_m(self, points: Array) -> Array:
        """Return signed distances [n] of points [n, 3], positive outside [m]."""
        c, s = np.cos(self.yaw_rad), np.sin(self.yaw_rad)
        local = points - self.center
        turned = np.stack([c * local[:, 0] + s * local[:, 1], c * local[:, 1] - s * local[:, 0], local[:, 2]], axis=1)
        over = np.abs(turned) - self.half_m
        return np.asarray(np.linalg.norm(np.maximum(over, 0.0), axis=1) + np.minimum(over.max(axis=1), 0.0))


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class RevolutionSolid:
    """A body of revolution about a vertical axis, closed by flat ends."""

    axis_xy: Array
    """Position of the axis in the ground plane [m], float64 [2]."""
    heights_m: Array
    """Heights of the profile [m], rising, float64 [k]."""
    radii_m: Array
    """Radius at each height [m], float64 [k]."""
    top_m: float
    """Height of the upper end [m]."""
    name: str = "revolution"
    """Name of the completion."""

    def distance_m(self, points: Array) -> Array:
        """Return signed distances [n] of points [n, 3], positive outside [m]; near the surface only approximate."""
        radius = np.interp(points[:, 2], self.heights_m, self.radii_m)
        side = np.hypot(points[:, 0] - self.axis_xy[0], points[:, 1] - self.axis_xy[1]) - radius
        return np.asarray(np.maximum(side, points[:, 2] - self.top_m))


def fit_solid(points: Array, *, base_m: float, tolerance_m: float) -> Solid | None:
    """Return the solid that fits points [n, 3] best, or None where none fits within the tolerance [m].

    Points closer to the base than the tolerance are left out: they may be the support's.
    """
    points = points[points[:, 2] > base_m + tolerance_m]
    if len(points) < MIN_FIT_POINTS:
        return None
    candidates: list[Solid] = [fit_box(points, base_m=base_m, noise_m=tolerance_m)]
    turned = fit_revolution(points, base_m=base_m)
    if turned is not None:
        candidates.append(turned)
    scores = [np.quantile(np.abs(solid.distance_m(points)), MIN_INLIER_SHARE) for solid in candidates]
    best = int(np.argmin(scores))
    return candidates[best] if scores[best] <= tolerance_m else None


def fit_box(points: Array, *, base_m: float, noise_m: float) -> BoxSolid:
    """Return the upright box whose sides and top lie closest to the points [n, 3], reaching down to the base."""
    top = float(np.quantile(points[:, 2], 0.98))
    best, least = 0.0, np.inf
    for yaw in np.arange(YAW_STEPS) * (0.5 * np.pi / YAW_STEPS):
        low, high, flat = _robust_extents(points, float(yaw))
        to_side = np.minimum(np.abs(flat - low), np.abs(high - flat)).min(axis=1)
        cost = float(np.minimum(to_side, np.abs(top - points[:, 2])).mean()) + 0.02 * float(np.prod(high - low)) ** 0.5
        if cost < least:
            best, least = float(yaw), cost
    _, _, flat = _robust_extents(points, best)
    high = np.array([_face_position(flat[:, axis], noise_m) for axis in range(2)])
    low = np.array([-_face_position(-flat[:, axis], noise_m) for axis in range(2)])
    top = _face_position(points[:, 2], noise_m)
    c, s = np.cos(best), np.sin(best)
    middle = 0.5 * (low + high)
    center = np.array([c * middle[0] - s * middle[1], s * middle[0] + c * middle[1], 0.5 * (top + base_m)])
    return BoxSolid(center=center, half_m=np.append(0.5 * (high - low), 0.5 * (top - base_m)), yaw_rad=best)


def fit_revolution(points: Array, *, base_m: float) -> RevolutionSolid | None:
    """Return the body of revolution through points [n, 3] (concentric circles, a radius by height), None if flat."""
    top = float(np.quantile(points[:, 2], 0.98))
    if top - base_m < 0.01:
        return None
    layer = np.clip(
        ((points[:, 2] - base_m) / (top - base_m) * REVOLUTION_LAYERS).astype(int), 0, REVOLUTION_LAYERS - 1
    )
    middle = points[:, :2].mean(axis=0)
    flat = points[:, :2] - middle
    is_inlier = points[:, 2] < top - 0.25 * (top - base_m) / REVOLUTION_LAYERS
    for _ in range(8):
        center, squares = _concentric_circles(flat[is_inlier], layer[is_inlier])
        radii = np.sqrt(np.maximum(squares + center @ center, 1e-8))
        gap = np.abs(np.linalg.norm(flat - center, axis=1) - radii[layer])
        is_inlier = (gap <= max(2.5 * float(np.median(gap[is_inlier])), 0.002)) & (squares[layer] != 0.0)
        if is_inlier.sum() < MIN_FIT_POINTS:
            return None
    offsets = flat[is_inlier] - center
    sector = np.floor((np.arctan2(offsets[:, 1], offsets[:, 0]) / (2.0 * np.pi) + 0.5) * TURN_SECTORS).astype(int)
    counts = np.bincount(sector % TURN_SECTORS, minlength=TURN_SECTORS)
    is_covered = counts >= MIN_SECTOR_SHARE * len(offsets) / TURN_SECTORS
    if np.count_nonzero(is_covered) * 2.0 * np.pi / TURN_SECTORS < MIN_TURN_RAD:
        return None
    used = np.bincount(layer[is_inlier], minlength=REVOLUTION_LAYERS) >= 5
    heights = base_m + (np.arange(REVOLUTION_LAYERS) + 0.5) / REVOLUTION_LAYERS * (top - base_m)
    if used.sum() < 3 or float(radii[used].max()) > 2.0 * float(np.ptp(flat, axis=0).max()):
        return None
    return RevolutionSolid(axis_xy=center + middle, heights_m=heights[used], radii_m=radii[used], top_m=top)


def _robust_extents(points: Array, yaw_rad: float) -> tuple[Array, Array, Array]:
    """Return the robust lower and upper ends [2] of points turned by -yaw, and the turned points [n, 2]."""
    c, s = np.cos(yaw_rad), np.sin(yaw_rad)
    flat = np.stack([c * points[:, 0] + s * points[:, 1], c * points[:, 1] - s * points[:, 0]], axis=1)
    low, high = np.quantile(flat, [0.02, 0.98], axis=0)
    return low, high, flat


def _face_position(values: Array, noise_m: float) -> float:
    """Return the upper end of values: the middle of an observed face, or the last points if there is none."""
    last = float(np.quantile(values, 1.0 - MAX_STRAY_SHARE))
    near = values[(values > last - 3.0 * noise_m) & (values <= last + noise_m)]
    even = 3.0 * noise_m / max(last - float(np.quantile(values, MAX_STRAY_SHARE)), 3.0 * noise_m) * len(values)
    return float(np.median(near)) if len(near) > 2.0 * even else last


def _concentric_circles(flat: Array, layer: Array) -> tuple[Array, Array]:
    """Fit concentric circles: |p|² = 2 p · c + (r² - |c|²), least squares; the second unknown by layer, 0 = none."""
    system = np.zeros((len(flat), 2 + REVOLUTION_LAYERS))
    system[:, :2] = 2.0 * flat
    system[np.arange(len(flat)), 2 + layer] = 1.0
    solution = np.linalg.lstsq(system, (flat**2).sum(axis=1), rcond=None)[0]
    return solution[:2], solution[2:]
