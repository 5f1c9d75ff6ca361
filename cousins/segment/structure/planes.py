"""Fixed planes of a capture, and where points lie with respect to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.spatial import ConvexHull

from cousins.geometry import Array
from cousins.segment.segments import Plane

MAX_SINK_M = 0.02
"""A point this far below a support may still lie on it [m]: noise, and a support that bends."""
BOARD_M = 0.05
"""Surface further below a raised support is below its board [m]."""
MIN_OPPOSITE_COS = 0.9
"""Least cosine between the normals of a panel's two faces, one of them turned round."""
PANEL_M = 0.05
"""Surface this near behind a wall is the other side of it [m]."""
WALL_CELL_M = 0.05
"""Edge of the cells in which a wall was measured or not [m]."""
MAX_LAYER_COS = 0.5
"""Least cosine between the normals of a wall and of a second layer of it."""
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


def is_beyond_wall(structure: FixedStructure, wall: FittedPlane, points: Array, normals: Array) -> Array:
    """Return bool [...]: points [..., 3] behind a wall that are neither noise nor a second layer of it.

    They lie over a support: behind an opening or beyond its edge, far behind it, in front of the other face of its
    panel, or where their `normals` [..., 3] do not face as the wall does. `points` are all that was measured.
    """
    height = heights_above_plane(wall, points)
    is_turned = normals @ wall.plane.normal < MAX_LAYER_COS
    is_far = (height < -WALL_M) | ((height < -PANEL_M) & (is_turned | ~_is_near_measured(wall, points, normals)))
    for fitted in structure.planes:
        plane = fitted.plane
        if plane.kind != "wall" or plane.normal @ wall.plane.normal > -MIN_OPPOSITE_COS:
            continue
        thickness_m = -float(heights_above_plane(wall, plane.outline).mean())
        if -MAX_SINK_M <= thickness_m <= WALL_M:
            is_in_front = heights_above_plane(fitted, points) > max(MAX_SINK_M, 3.0 * fitted.scatter_m)
            is_far |= (height < -thickness_m) & is_in_front & inside_outline(plane, points, margin_m=MAX_SINK_M)
    return np.asarray(is_far & is_over_support(structure, points, ("table", "floor")))


def _is_near_measured(wall: FittedPlane, points: Array, normals: Array) -> Array:
    """Return bool [...]: points [..., 3] whose projection onto a wall lies in or beside a cell with measured wall."""
    is_wall = np.abs(heights_above_plane(wall, points)) < max(MAX_SINK_M, 3.0 * wall.scatter_m)
    is_wall &= normals @ wall.plane.normal > MIN_OPPOSITE_COS
    cells = np.floor(points @ plane_basis(wall.plane.normal).T / WALL_CELL_M).astype(np.int64)
    cells -= cells.reshape(-1, 2).min(axis=0, initial=0) - 1
    grid = np.zeros(cells.reshape(-1, 2).max(axis=0, initial=0) + 2, dtype=bool)
    grid[cells[is_wall][:, 0], cells[is_wall][:, 1]] = True
    grid = ndimage.binary_dilation(grid, structure=np.ones((3, 3), dtype=bool))
    return np.asarray(grid[cells[..., 0], cells[..., 1]])


def inside_outline(plane: Plane, points: Array, *, margin_m: float = 0.0) -> Array:
    """Return bool [...]: points [..., 3] whose projection onto the plane lies in its outline, grown by `margin_m`."""
    inside = np.ones(points.shape[:-1], dtype=bool)
    for start, end in zip(plane.outline, np.roll(plane.outline, -1, axis=0), strict=True):
        side = np.cross(plane.normal, end - start)
        side /= max(np.linalg.norm(side), 1e-12)
        inside &= points @ side >= start @ side - margin_m
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
