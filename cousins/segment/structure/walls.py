"""Fixed surface that carries nothing: walls, the sides and backs of shelves, ceilings and the undersides of boards.

Walls are peaks over azimuth and offset of points whose normal is level. Large patches are walls where little lies
behind them; small ones where other surface borders most of their rim.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from cousins.capture.captures import Frame
from cousins.geometry import Array
from cousins.segment.segments import Plane
from cousins.segment.structure.coplanar import join_coplanar
from cousins.segment.structure.plane_fitting import PEAK_SHARE, PlanePatch, fit_plane, fitted_patches, histogram_peaks
from cousins.segment.structure.planes import (
    FittedPlane,
    PlaneConfig,
    convex_outline,
    heights_above_plane,
    inside_outline,
    plane_basis,
)
from cousins.segment.structure.rims import is_bordered, open_share, rim_shares
from cousins.segment.structure.samples import DepthSamples, subset
from cousins.segment.structure.supports import BOARD_GAPS_M, MIN_BOARD_OVERLAP, level_patches

MAX_NORMAL_TILT = np.sin(np.deg2rad(15.0))
"""Largest component of the normal of a wall's point along the vertical: 15 degrees, the noise of small windows."""
MAX_JOINED_TILT = np.sin(np.deg2rad(5.0))
"""Largest component of a small wall's normal along the vertical: 5 degrees; more is a thing that leans."""
AZIMUTH_STEP_DEG = 10.0
"""Distance between the azimuths at which walls are searched [deg]."""
AZIMUTH_REACH_RAD = np.deg2rad(15.0)
"""Normals this near to an azimuth vote for its walls [rad]; those within twice this distance are fitted."""
SLICE_M = 0.5
"""Points this near to a histogram's peak are fitted [m]: a wall of 10 m that lies 5 degrees off the azimuth."""
REACH_M = 0.04
"""First gate of a wall's fit [m]."""
WINDOW_BINS = 9
"""Histogram bins in which a wall's points lie: walls are seen from further away than tables, with more noise."""
PEAK_WIDTH_M = 0.1
"""Distance on either side of a peak within which no other peak is searched [m]."""
MIN_HEIGHT_M = 0.6
"""Least height of the patch of a wall whose rim is free [m]."""
CLAIMED_M = 0.08
"""Surface this near to a wall, within its outline, is no other wall; a support this near above an underside is the
board that it belongs to [m]."""


def find_walls(
    samples: DepthSamples, frames: Sequence[Frame], up: Array, supports: Sequence[FittedPlane], config: PlaneConfig
) -> list[FittedPlane]:
    """Return walls, then small walls, then ceilings; `up` [3] is the unit vector against gravity."""
    level = np.abs(samples.normals @ up) < MAX_NORMAL_TILT
    search = _WallSearch(samples, level, up)
    candidates = [
        patch
        for patch in search.patches(config.min_wall_m2)
        if _is_large_wall(patch, frames, up, config)
        if search.claim(patch)
    ]
    candidates += [
        patch
        for patch in search.patches(config.min_joined_m2)
        if abs(patch.fit.normal @ up) < MAX_JOINED_TILT
        if search.claim(patch)
    ]
    patches = join_coplanar(candidates, frames)
    walls = [
        patch
        for patch, rim in zip(patches, rim_shares(patches, samples, frames), strict=True)
        if _is_large_wall(patch, frames, up, config)
        or (is_bordered(patch, rim, config) and rim.falling <= config.max_falling_rim)
    ]
    ceilings = _ceilings(samples, frames, up, supports, config)
    return [
        *(_as_plane(patch, f"wall_{n}") for n, patch in enumerate(walls)),
        *(_as_plane(patch, f"ceiling_{n}") for n, patch in enumerate(ceilings)),
    ]


class _WallSearch:
    """Patches of vertical planes, each point given to one wall at most."""

    def __init__(self, samples: DepthSamples, level: Array, up: Array) -> None:
        self.samples = subset(samples, level)
        self.axes = plane_basis(up)
        self.azimuth = np.arctan2(self.samples.normals @ self.axes[1], self.samples.normals @ self.axes[0])
        self.free = np.ones(len(self.samples.points), dtype=bool)

    def patches(self, min_area_m2: float) -> Iterator[PlanePatch]:
        """Yield patches of points that no wall has claimed by then, of at least this area."""
        for angle in np.deg2rad(np.arange(0.0, 360.0, AZIMUTH_STEP_DEG)):
            direction = np.cos(angle) * self.axes[0] + np.sin(angle) * self.axes[1]
            turn = np.abs((self.azimuth - angle + np.pi) % (2 * np.pi) - np.pi)
            near = self.free & (turn < AZIMUTH_REACH_RAD)
            if self.samples.areas[near].sum() < PEAK_SHARE * min_area_m2:
                continue
            pool = np.flatnonzero(turn < 2.0 * AZIMUTH_REACH_RAD)
            pool = pool[np.argsort(self.samples.points[pool] @ direction, kind="stable")]
            along = self.samples.points[pool] @ direction
            peaks = histogram_peaks(
                self.samples.points[near] @ direction,
                self.samples.areas[near],
                min_weight=PEAK_SHARE * min_area_m2,
                width_m=PEAK_WIDTH_M,
                window_bins=WINDOW_BINS,
            )
            for position in peaks:
                start, stop = np.searchsorted(along, [position - SLICE_M, position + SLICE_M])
                local = pool[start:stop]
                yield from self._patches_at(local[self.free[local]], direction, position, min_area_m2)

    def _patches_at(self, pool: Array, direction: Array, position: float, min_area_m2: float) -> Iterator[PlanePatch]:
        if len(pool) == 0:
            return
        local = subset(self.samples, pool)
        fit = fit_plane(local.points, direction, position, normals=local.normals, reach_m=REACH_M)
        for patch in fitted_patches(local, fit, reach_m=REACH_M):
            if patch.area_m2 >= min_area_m2:
                yield patch

    def claim(self, patch: PlanePatch) -> bool:
        """Take the points near a patch, within its outline and facing its side from further search; always true."""
        fitted = _as_plane(patch, "")
        is_claimed = np.abs(heights_above_plane(fitted, self.samples.points)) <= CLAIMED_M
        is_claimed &= self.samples.normals @ patch.fit.normal > 0.0
        is_claimed[is_claimed] = inside_outline(fitted.plane, self.samples.points[is_claimed], margin_m=CLAIMED_M)
        self.free &= ~is_claimed
        return True


def _is_large_wall(patch: PlanePatch, frames: Sequence[Frame], up: Array, config: PlaneConfig) -> bool:
    """Return whether a patch is a wall whatever its rim is: large, tall, and not mostly looked through."""
    is_large = patch.area_m2 >= config.min_wall_m2 and np.ptp(patch.points @ up) >= MIN_HEIGHT_M
    return bool(is_large and open_share(patch, frames) <= config.max_open)


def _ceilings(
    samples: DepthSamples, frames: Sequence[Frame], up: Array, supports: Sequence[FittedPlane], config: PlaneConfig
) -> list[PlanePatch]:
    """Return level patches that face down, large or bordered by other surface, and are not the back of a support."""
    patches = [
        patch
        for patch in join_coplanar(level_patches(samples, -up, min_area_m2=config.min_joined_m2), frames)
        if patch.fit.normal @ -up > np.cos(np.deg2rad(5.0)) and not _is_underside(patch, supports)
    ]
    rims = rim_shares(patches, samples, frames)
    return [
        patch
        for patch, rim in zip(patches, rims, strict=True)
        if patch.area_m2 >= config.min_wall_m2
        or is_bordered(patch, rim, config)
        or (patch.area_m2 >= config.min_board_m2 and any(_is_board_over(patch, fitted) for fitted in supports))
    ]


def _is_board_over(patch: PlanePatch, fitted: FittedPlane) -> bool:
    """Return whether an underside belongs to a board of the shelf whose next board, of similar size, is a support."""
    gap = float(np.median(heights_above_plane(fitted, patch.points)))
    is_alike = MIN_BOARD_OVERLAP * patch.area_m2 < fitted.area_m2 < patch.area_m2 / MIN_BOARD_OVERLAP
    is_over = bool(inside_outline(fitted.plane, patch.points).mean() > MIN_BOARD_OVERLAP)
    return fitted.plane.kind == "table" and BOARD_GAPS_M[0] <= gap <= BOARD_GAPS_M[1] and is_alike and is_over


def _is_underside(patch: PlanePatch, supports: Sequence[FittedPlane]) -> bool:
    """Return whether most of a patch lies just below a support: the other face of its board."""
    for fitted in supports:
        over = heights_above_plane(fitted, patch.points)
        is_below = (over < 0.0) & (over > -CLAIMED_M) & inside_outline(fitted.plane, patch.points)
        if is_below.mean() > 0.5:
            return True
    return False


def _as_plane(patch: PlanePatch, name: str) -> FittedPlane:
    fit = patch.fit
    border = convex_outline(patch.points, fit.normal, fit.offset_m)
    plane = Plane(name=name, kind="wall", normal=fit.normal, offset_m=fit.offset_m, outline=border)
    return FittedPlane(plane=plane, scatter_m=fit.scatter_m, area_m2=patch.area_m2)
