"""Outline and height of one low thing, from the height and colour maps of its support.

Depth shows that something stands there and how high; it blurs the outline over two pixels. Colour shows the outline
at the resolution of photos, where the thing's colour differs from that of the support around it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.spatial import ConvexHull, QhullError, cKDTree
from skimage.graph import MCP_Geometric
from skimage.morphology import skeletonize

from cousins.geometry import Array
from cousins.segment.relief.relief_map import ReliefMap

RING_M = (0.008, 0.03)
"""Distances from a thing between which the support's colour is taken [m]."""
LOCAL_M = 0.012
"""Radius in which the local top of a thing is taken [m]: the handle of a spoon is lower than its bowl."""
MIN_COLOR_STEP = 6.0
"""Least Lab distance from all colours of the support around of another colour: about three just noticeable ones."""
CONTRAST_REACH_M = 0.01
"""An outline runs where the colour step is half of the largest within this distance [m]: photos blur it too."""
NEIGHBOUR_SHARE = 0.02
"""Share of the colours around a thing that must be near one to count as a colour of the support."""
SHADES = (0.6, 0.7, 0.8, 0.9, 1.1)
"""Factors of linear brightness under which the support shows in soft shadows and on slopes."""
TOP_BLUR_M = 0.004
"""Standard deviation of the average in which the height of a top is measured [m]."""
SOFTNESS_BLUR_M = 0.002
"""Standard deviation of the average over which flanks are measured [m]."""
MIN_TOP_M = 0.001
"""Least height of a cell of a thing [m]."""
MAX_HOLE_M2 = 5e-5
"""Holes of an outline smaller than this are noise [m²]: 7 mm square; the rings of scissors are larger."""
POSE_BLUR_M = 0.002
"""Blur of the height map by what pose refinement leaves [m]."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PatchOutline:
    """Outline and tops of a low thing."""

    rows: Array
    """Row of each of its cells in the height map, int64 [n]."""
    columns: Array
    """Column of each of its cells, int64 [n]."""
    top_m: Array
    """Height of each cell's top over the support around [m], float64 [n]."""
    height_m: float
    """Height of its upper parts: the 90 % quantile of the tops [m]."""
    length_m: float
    """Longer side of the smallest rectangle around it [m]."""
    width_m: float
    """Shorter side of that rectangle [m]."""
    path_m: float
    """Longest way from one cell to another within it [m]: the length of a cable however it lies."""
    breadth_m: float
    """Its breadth across the centre line, at nine tenths of which it is narrower [m]."""
    softness: float
    """Breadth of its flanks relative to that of an upright edge in this height map: 1 for a pen, 3 for a fold."""
    strength: float
    """Typical height of its core in standard deviations of the height map."""
    foreign_share: float | None
    """Share of its core whose colour is none of the support's around; None without colour."""
    area_m2: float
    """Area of the outline [m²]."""


def measure_outline(heights: ReliefMap, lab: Array | None, region: Array, other_patches: Array) -> PatchOutline | None:
    """Return the footprint of the thing at the cells of `region`, bool [rows, columns]; None where nothing is left.

    `other_patches` are the cells of all other things, which do not count as support.
    """
    window = _window(region, round((RING_M[1] + 0.005) / heights.cell_m))
    cell_m, relief, sigma = heights.cell_m, heights.relief_m[window], heights.sigma_m[window]
    region, other_patches, measured = region[window], other_patches[window], heights.is_measured[window]
    peak = _local_top(np.where(region, relief, 0.0), cell_m)
    share = relief / np.maximum(peak, 1e-6)
    near_region = ndimage.distance_transform_edt(~region) * cell_m <= 2.0 * heights.blur_m + POSE_BLUR_M
    is_half = near_region & measured & (peak > 0.0) & (share > 0.5)
    core = region & (share > 0.6)
    outline: Array = is_half
    foreign_share: float | None = None
    colors = None if lab is None else _foreign_cells(lab[window], region, other_patches, measured, cell_m)
    if colors is not None:
        foreign, shaded = colors
        foreign_share = float((foreign & ~shaded)[core].mean()) if core.any() else 0.0
        if foreign_share > 0.5:
            inner = ndimage.distance_transform_edt(is_half) * cell_m > 2.0 * _edge_blur_m(heights)
            outline = inner | (near_region & measured & foreign & (share > 0.2) & ~(shaded & (share < 0.4)))
    outline = _cleaned(ndimage.gaussian_filter(outline.astype(np.float64), 1.0) > 0.5, core, cell_m)
    if not outline.any():
        return None
    top = _tops(relief, outline, heights)
    rows, columns = np.nonzero(outline)
    length_m, width_m = _rectangle(np.stack([columns, rows], axis=1) * cell_m, cell_m)
    return PatchOutline(
        rows=rows + window[0].start,
        columns=columns + window[1].start,
        top_m=top[outline],
        height_m=float(np.quantile(top[outline], 0.9)),
        length_m=length_m,
        width_m=width_m,
        path_m=_longest_path_m(outline, cell_m),
        breadth_m=_breadth_m(outline, cell_m),
        softness=_softness(relief, region, measured, heights),
        strength=float(np.median((relief / sigma)[core])) if core.any() else 0.0,
        foreign_share=foreign_share,
        area_m2=float(outline.sum()) * cell_m**2,
    )


def _window(region: Array, margin: int) -> tuple[slice, slice]:
    rows, columns = np.nonzero(region)
    return (
        slice(max(0, int(rows.min()) - margin), int(rows.max()) + margin + 1),
        slice(max(0, int(columns.min()) - margin), int(columns.max()) + margin + 1),
    )


def _local_top(relief: Array, cell_m: float) -> Array:
    """Return the highest relief within `LOCAL_M` of each cell, smoothed."""
    reach = max(1, round(LOCAL_M / cell_m))
    y, x = np.ogrid[-reach : reach + 1, -reach : reach + 1]
    top = ndimage.maximum_filter(relief, footprint=x * x + y * y <= reach * reach)
    return np.asarray(ndimage.gaussian_filter(top, 0.3 * reach))


def _foreign_cells(
    lab: Array, region: Array, other_patches: Array, measured: Array, cell_m: float
) -> tuple[Array, Array] | None:
    """Return which cells have a colour that the support around lacks, and which are the support in another light.

    Both bool [rows, columns]; None where too little of the support around has a colour.
    """
    distance = ndimage.distance_transform_edt(~region) * cell_m
    is_colored = measured & np.isfinite(lab[..., 0])
    ring = is_colored & (distance > RING_M[0]) & (distance < RING_M[1]) & ~other_patches
    if ring.sum() < 100:
        return None
    around = lab[ring]
    around = around[:: max(1, len(around) // 3000)]
    near = max(2, round(NEIGHBOUR_SHARE * len(around)))
    tree = cKDTree(around)
    typical = tree.query(around[::4], k=near + 1)[0][:, -1]
    gate = max(MIN_COLOR_STEP, 1.5 * float(np.quantile(typical, 0.95)))
    is_compared = is_colored & (distance < RING_M[0])
    step, shaded = np.zeros(region.shape), np.zeros(region.shape, dtype=bool)
    step[is_compared] = tree.query(lab[is_compared], k=near)[0][:, -1]
    reach = 2 * max(1, round(0.5 * CONTRAST_REACH_M / cell_m)) + 1
    foreign = step > np.maximum(gate, 0.5 * ndimage.maximum_filter(np.where(region, step, 0.0), reach))
    shades = cKDTree(np.concatenate([_in_other_light(around, shade) for shade in SHADES]))
    shaded[is_compared] = foreign[is_compared] & (shades.query(lab[is_compared], k=near)[0][:, -1] < gate)
    return foreign, shaded


def _in_other_light(lab: Array, shade: float) -> Array:
    """Return Lab colours [n, 3] at another linear brightness: L + 16 and the chroma scale with its cube root."""
    factor = np.cbrt(shade)
    return np.stack([(lab[:, 0] + 16.0) * factor - 16.0, lab[:, 1] * factor, lab[:, 2] * factor], axis=1)


def _cleaned(outline: Array, core: Array, cell_m: float) -> Array:
    """Return an outline without noise: small holes filled, and only pieces that reach the core."""
    labels, count = ndimage.label(outline, np.ones((3, 3)))
    if count == 0:
        return outline
    hits = ndimage.sum_labels(core, labels, np.arange(1, count + 1))
    sizes = ndimage.sum_labels(outline, labels, np.arange(1, count + 1))
    kept_pieces = 1 + np.flatnonzero((hits > 0) & (sizes >= 0.05 * sizes.max()))
    outline = np.isin(labels, kept_pieces)
    holes, count = ndimage.label(~outline)
    sizes = ndimage.sum_labels(~outline, holes, np.arange(count + 1)) * cell_m**2
    small = np.flatnonzero(sizes < MAX_HOLE_M2)
    return np.asarray(outline | (np.isin(holes, small[small > 0]) & ~outline))


def _tops(relief: Array, outline: Array, heights: ReliefMap) -> Array:
    """Return the height of tops [m] that explains the blurred relief: least squares in a neighbourhood of each cell."""
    cover = ndimage.gaussian_filter(outline.astype(np.float64), _edge_blur_m(heights) / heights.cell_m)
    near = TOP_BLUR_M / heights.cell_m
    mean = ndimage.gaussian_filter(relief * cover, near) / np.maximum(ndimage.gaussian_filter(cover**2, near), 1e-6)
    return np.asarray(np.maximum(mean, MIN_TOP_M))


def _softness(relief: Array, region: Array, measured: Array, heights: ReliefMap) -> float:
    """Return the mean distance between the contours at a quarter and at three quarters of the height, over an edge's.

    Areas between contours are sums over the outline, so that noise averages out. A blurred upright edge has its
    quarters 1.35 standard deviations of the blur apart.
    """
    cell_m = heights.cell_m
    smooth = ndimage.gaussian_filter(relief, SOFTNESS_BLUR_M / cell_m)
    share = smooth / np.maximum(_local_top(np.where(region, smooth, 0.0), cell_m), 1e-6)
    near = measured & (ndimage.distance_transform_edt(~region) * cell_m <= LOCAL_M)
    wide, half, narrow = (near & (share > level) for level in (0.25, 0.5, 0.75))
    rim = half & ~ndimage.binary_erosion(half)
    flank_m = float((wide & ~narrow).sum()) * cell_m / max(float(rim.sum()), 1.0)
    blur_m = float(np.sqrt(_edge_blur_m(heights) ** 2 + SOFTNESS_BLUR_M**2))
    return flank_m / (1.35 * blur_m)


def _edge_blur_m(heights: ReliefMap) -> float:
    """Return the standard deviation of the blur of an upright edge in a height map [m]."""
    return float(np.sqrt(heights.blur_m**2 + (0.3 * heights.pixel_m) ** 2 + POSE_BLUR_M**2))


def _rectangle(flat: Array, cell_m: float) -> tuple[float, float]:
    """Return the longer and the shorter side of the smallest rectangle around cells [n, 2] [m]."""
    try:
        corners = flat[ConvexHull(flat).vertices]
    except QhullError:
        size = np.ptp(flat, axis=0) + cell_m
        return float(size.max()), float(size.min())
    sides = np.roll(corners, -1, axis=0) - corners
    angles = np.unique(np.round(np.arctan2(sides[:, 1], sides[:, 0]) % (np.pi / 2.0), 4))
    axes = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    across = np.stack([-axes[:, 1], axes[:, 0]], axis=1)
    sizes = np.stack([np.ptp(corners @ axes.T, axis=0), np.ptp(corners @ across.T, axis=0)], axis=1) + cell_m
    best = sizes[int(np.argmin(np.prod(sizes, axis=1)))]
    return float(best.max()), float(best.min())


def _longest_path_m(outline: Array, cell_m: float) -> float:
    """Return the longest of the shortest distances between cells of an outline [m], by two sweeps from end to end."""
    costs = np.where(outline, 1.0, np.inf)
    end = np.argwhere(outline)[0]
    longest = 0.0
    for _ in range(2):
        distances, _ = MCP_Geometric(costs).find_costs([tuple(end)])
        distances = np.where(np.isfinite(distances), distances, -1.0)
        end = np.array(np.unravel_index(int(np.argmax(distances)), distances.shape))
        longest = float(distances.max())
    return (longest + 1.0) * cell_m


def _breadth_m(outline: Array, cell_m: float) -> float:
    inside = ndimage.distance_transform_edt(np.pad(outline, 1))[1:-1, 1:-1]
    line = skeletonize(outline)
    return float((2.0 * np.quantile(inside[line], 0.9) - 1.0) * cell_m) if line.any() else cell_m
