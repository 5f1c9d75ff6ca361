"""Fixed planes of a capture, and where points lie with respect to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial import ConvexHull

from cousins.geometry import Array
from cousins.segment.segments import Plane

MAX_SINK_M = 0.02
"""A point this far below a support may still lie on it [m]: noise, and a support that bends."""
BOARD_M = 0.05
"""Surface further below a raised support is below its board [m]."""
WALL_M = 0.3
"""Surface further behind a wall is in another room or bin [m], no noise, relief or second layer of the wall."""


@dataclass(frozen=True, kw_only=True)
class PlaneConfig:
    """Smallest areas of fixed planes."""

    min_table_m2: float = 0.35
    """Smallest area of a raised support whose rim is free [m²]: a side table of 60 cm; seats and boxes are smaller."""
    min_wall_m2: float = 0.5
    """Smallest area of a wall whose rim is free [m²]."""
    max_open: float = 0.5
    """Largest share of a wall's outline that frames look through, at doors and windows."""
    min_joined_m2: float = 0.06
    """Smallest area of a support or wall that other surface borders [m²]: a bin of 25 cm."""
    max_free_rim: float = 0.45
    """Largest share of the rim of such a plane beyond which frames look into free space: the front of a shelf's board
    and what its ends lack; the face of a box in a corner ends freely at two of four edges."""
    max_free_panel_rim: float = 0.6
    """The same where no surface falls away behind: the side of a shelf is free at the front and at both ends."""
    min_joined_rim: float = 0.35
    """Least share of the rim of such a plane at which surface of another direction rises: one long side."""
    max_open_rim: float = 0.1
    """Largest share of the rim beyond which frames look into free space where less of it is joined: what is seen in
    part ends at the border of the views or behind things."""
    max_falling_rim: float = 0.25
    """Largest share of the rim of a small wall at which surface falls away behind it: one edge of four. A box in a
    corner shows its other faces at half of the rim."""
    min_cluttered_rim: float = 0.2
    """Least share of the rim at which surface rises of a table whose outline, not its visible part, is large enough."""
    min_side_scatters: float = 12.0
    """Least width of such a plane relative to its scatter: narrower strips of noise have no direction."""
    min_board_m2: float = 0.08
    """Smallest area of a board that lies over or under another one like it [m²]: 40 by 20 cm."""
    samples: int = 120_000
    """Number of depth points used of all frames together, where that is more than `samples_per_frame` of each."""
    samples_per_frame: int = 3000
    """Least number of depth points used of a frame."""
    max_frames: int = 120
    """Largest number of frames used."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class FittedPlane:
    """A fitted plane with its measured scatter."""

    plane: Plane
    """The plane."""
    scatter_m: float
    """Robust standard deviation of its own points about it [m]."""
    area_m2: float
    """Area of its points [m²]."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class FixedStructure:
    """Fixed planes of a capture."""

    planes: tuple[FittedPlane, ...]
    """Supports by area, largest first, then walls."""
    up: Array
    """Unit vector against gravity, float64 [3]."""
    warnings: tuple[str, ...] = ()
    """What had to be assumed, one sentence each."""


def heights_above_plane(fitted: FittedPlane, points: Array) -> Array:
    """Return the signed distance [m] of points [..., 3] from a plane, positive on its free side."""
    return np.asarray(points @ fitted.plane.normal - fitted.plane.offset_m)


def is_over_support(structure: FixedStructure, points: Array, kinds: Sequence[str]) -> Array:
    """Return bool [...]: points [..., 3] above a support of these kinds, within its outline."""
    is_over = np.zeros(points.shape[:-1], dtype=bool)
    for fitted in structure.planes:
        if fitted.plane.kind in kinds:
            is_over |= (heights_above_plane(fitted, points) > -MAX_SINK_M) & inside_outline(fitted.plane, points)
    return is_over


def inside_outline(plane: Plane, points: Array, *, margin_m: float = 0.0) -> Array:
    """Return bool [...]: points [..., 3] whose projection onto the plane lies in its outline, grown by `margin_m`."""
    inside = np.ones(points.shape[:-1], dtype=bool)
    for start, end in zip(plane.outline, np.roll(plane.outline, -1, axis=0), strict=True):
        side = np.cross(plane.normal, end - start)
        side /= max(np.linalg.norm(side), 1e-12)
        inside &= (points - start) @ side >= -margin_m
    return inside


def plane_basis(normal: Array) -> Array:
    """Return two unit vectors [2, 3] that span a plane, right-handed about its normal [3]."""
    helper = np.array([1.0, 0.0, 0.0]) if abs(normal[0]) < 0.9 else np.array([0.0, 1.0, 0.0])
    first = np.cross(helper, normal)
    first /= np.linalg.norm(first)
    return np.stack([first, np.cross(normal, first)])


def convex_outline(points: Array, normal: Array, offset_m: float) -> Array:
    """Return the convex outline [k, 3] of points [n, 3] on a plane, counter-clockwise about its normal [3]."""
    basis = plane_basis(normal)
    flat = points @ basis.T
    corners: Sequence[int] = ConvexHull(flat).vertices
    return np.asarray(flat[corners] @ basis + offset_m * normal)
