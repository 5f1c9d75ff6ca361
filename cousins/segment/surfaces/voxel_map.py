"""Fuse posed depth frames into one oriented surface: confident points averaged in voxels.

Unlike a signed-distance volume this carves nothing, so a 3 cm chair leg stays; voxels that few frames hit and
many look through are flying pixels and are dropped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit
from scipy import ndimage
from skimage.color import rgb2lab

from cousins.capture.captures import Capture, Frame
from cousins.fusion.point_observations import count_observations
from cousins.geometry import Array
from cousins.segment.surfaces.surface import (
    NOISE_FLOOR_M,
    NOISE_PER_M,
    Surface,
    flying_pixels,
    noise_m,
    normals_at,
    smallest_axis,
    world_points,
)

NEIGHBOURS = tuple((i, j, k) for i in (-1, 0, 1) for j in (-1, 0, 1) for k in (-1, 0, 1) if (i, j, k) > (0, 0, 0))
"""Half of the 26 neighbours of a voxel; the other half are their mirror images."""

MIN_SECOND_SIDE_SHARE = 0.15
"""Smallest share of a voxel's weight on its second side; less comes from stray normals."""
LOOK_THROUGH_M = 0.01
"""How far behind a voxel, beyond four standard deviations of noise, a depth must lie to have looked through it [m]."""
MAX_OPPOSITE_COS = -0.5
"""Largest cosine between the normals of the two sides of a thin wall: 120 degrees apart."""


@dataclass(frozen=True, kw_only=True)
class VoxelConfig:
    """How frames are fused."""

    pixels_per_voxel: float = 1.5
    """Voxel edge in depth pixels at the median range: each voxel is then hit in every frame that sees it."""
    min_voxel_m: float = 0.004
    """Smallest voxel edge [m]."""
    max_voxel_m: float = 0.015
    """Largest voxel edge [m]."""
    max_frames: int = 60
    """Largest number of frames used, evenly spaced."""
    max_pixels: float = 5.0e6
    """Largest number of depth pixels used; of more, every n-th row and column (60 LiDAR frames: 3 million)."""
    max_range_m: float = 5.0
    """Largest depth that is used [m]: beyond it the sensor interpolates."""
    min_hit_share: float = 0.12
    """Smallest share of the frames that look at a voxel which must hit it."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class VoxelMap:
    """A surface with the number of frames that hit each point."""

    surface: Surface
    """Voxel means, oriented to the cameras that saw them."""
    voxel_m: float
    """Voxel edge [m]."""
    hits: Array
    """Number of frames that hit each voxel, int64 [n]."""


def build_voxel_map(capture: Capture, *, config: VoxelConfig) -> VoxelMap:
    """Return the confident depth of a capture, averaged in voxels."""
    frames = capture.frames[:: max(1, -(-len(capture.frames) // config.max_frames))]
    stride = _stride(frames, config)
    voxel = _voxel_size(frames, config, stride)
    parts = [_frame_points(frame, config, stride) for frame in frames]
    points, normals, weights, colors = (np.concatenate(column) for column in zip(*parts, strict=True))
    frame_of_point = np.repeat(np.arange(len(frames)), [len(part[0]) for part in parts])
    cells = np.floor(points / voxel).astype(np.int64)
    codes = voxel_codes(cells)
    order = np.argsort(codes, kind="stable")
    _, starts = np.unique(codes[order], return_index=True)
    second_side = _second_side(normals[order], weights[order], np.append(starts, len(order)))
    side_codes = 2 * codes[order] + second_side
    order = order[np.argsort(side_codes, kind="stable")]
    _, starts = np.unique(np.sort(side_codes), return_index=True)
    means = _average_voxels(
        points[order],
        normals[order],
        weights[order],
        colors[order],
        frame_of_point[order],
        np.append(starts, len(order)),
    )
    centers, axes, lab, hits = means
    keep_mask = _is_well_supported(centers, hits, frames, config)
    centers, axes, lab, hits = centers[keep_mask], axes[keep_mask], lab[keep_mask], hits[keep_mask]
    cells = cells[order[starts]][keep_mask]
    surface = Surface(
        points=centers,
        normals=axes,
        colors=lab,
        edges=touching_voxels(cells),
        spacing_m=voxel / 3.0,
        sigma_m=max(0.0015, 0.3 * voxel),
    )
    return VoxelMap(surface=surface, voxel_m=voxel, hits=hits)


def touching_voxels(cells: Array, *, reach: Sequence[tuple[int, int, int]] = NEIGHBOURS) -> Array:
    """Return the pairs [m, 2] of voxels [n, 3] that are neighbours; a voxel may be listed twice, for its two sides."""
    if len(cells) == 0:
        return np.zeros((0, 2), dtype=np.int64)
    codes = voxel_codes(cells)
    order = np.argsort(codes, kind="stable")
    ranked = codes[order]
    twins = np.flatnonzero(ranked[1:] == ranked[:-1])
    pairs = [np.stack([order[twins], order[twins + 1]], axis=1)]
    for offset in reach:
        neighbour_codes = voxel_codes(cells + np.array(offset))
        first = np.searchsorted(ranked, neighbour_codes)
        second = np.searchsorted(ranked, neighbour_codes, side="right") - 1
        pairs.append(_matching_pairs(order, ranked, first, neighbour_codes, np.arange(len(cells))))
        doubled = np.flatnonzero(second > first)
        pairs.append(_matching_pairs(order, ranked, second[doubled], neighbour_codes[doubled], doubled))
    return np.concatenate(pairs)


def _matching_pairs(order: Array, ranked: Array, positions: Array, neighbour_codes: Array, owner: Array) -> Array:
    """Return pairs [m, 2] of owners [n] and the voxels at these places, where the ranked code is the wanted one."""
    positions = np.minimum(positions, len(ranked) - 1)
    matches = np.flatnonzero(ranked[positions] == neighbour_codes)
    return np.stack([owner[matches], order[positions[matches]]], axis=1)


def voxel_codes(cells: Array) -> Array:
    """Return one int64 [...] per voxel cell [..., 3], ordered as x, y, z; 2²⁰ voxels each way from the origin."""
    moved = cells + (1 << 20)
    return np.asarray((moved[..., 0] << 42) | (moved[..., 1] << 21) | moved[..., 2])


def _stride(frames: Sequence[Frame], config: VoxelConfig) -> int:
    """Return the stride in rows and columns at which depth pixels are used."""
    return max(1, int(np.ceil(np.sqrt(sum(frame.depth_m.size for frame in frames) / config.max_pixels))))


def _voxel_size(frames: Sequence[Frame], config: VoxelConfig, stride: int) -> float:
    """Return a voxel of the configured pixels at the median range, rounded to half a millimetre."""
    sizes = []
    for frame in frames:
        measured = frame.depth_m[(frame.depth_m > 0.0) & (frame.depth_m < config.max_range_m)]
        if len(measured):
            sizes.append(stride * float(np.median(measured)) / frame.depth_camera.fx)
    pixel = float(np.median(sizes)) if sizes else config.min_voxel_m
    size = float(np.clip(config.pixels_per_voxel * pixel, config.min_voxel_m, config.max_voxel_m))
    return round(size / 0.0005) * 0.0005


def confident_pixels(frame: Frame, *, max_range_m: float) -> Array:
    """Return bool [h, w]: reliable pixels, which are measured, in range, confident and not flying."""
    good = (frame.depth_m > 0.0) & (frame.depth_m < max_range_m)
    if (frame.confidence[good] >= 1).any():
        good &= frame.confidence >= 1
    return np.asarray(good & ~flying_pixels(frame.depth_m))


def _frame_points(frame: Frame, config: VoxelConfig, stride: int) -> tuple[Array, Array, Array, Array]:
    on_stride = np.zeros(frame.depth_m.shape, dtype=bool)
    on_stride[stride // 2 :: stride, stride // 2 :: stride] = True
    rows, columns = np.nonzero(on_stride & confident_pixels(frame, max_range_m=config.max_range_m))
    points = world_points(frame)
    radius = max(3, round(frame.depth_camera.width / 160))
    normals = normals_at(frame, points, rows, columns, radius=radius)
    z = frame.depth_m[rows, columns].astype(np.float64)
    weights = np.square(0.005 / noise_m(z)) * np.where(frame.confidence[rows, columns] >= 2, 1.0, 0.25)
    has_normal = np.any(normals != 0.0, axis=1)
    rgb = frame.color(width=frame.depth_camera.width)
    colors = np.full((len(rows), 3), np.nan)
    if rgb is not None and rgb.shape[:2] == frame.depth_m.shape:
        colors = rgb2lab(ndimage.uniform_filter(rgb.astype(np.float64) / 255.0, (3, 3, 0)))[rows, columns]
    return points[rows, columns][has_normal], normals[has_normal], weights[has_normal], colors[has_normal]


@njit(cache=True)
def _second_side(normals, weights, starts):  # type: ignore[no-untyped-def]
    """Return 1 for points on the second side of a voxel in a thin wall, whose sides face apart, else 0; int64 [n]."""
    out = np.zeros(normals.shape[0], np.int64)
    spread = np.zeros(6)
    for k in range(starts.size - 1):
        spread[:] = 0.0
        for p in range(starts[k], starts[k + 1]):
            w = weights[p]
            x, y, z = normals[p, 0], normals[p, 1], normals[p, 2]
            spread[0] -= w * x * x
            spread[1] -= w * x * y
            spread[2] -= w * x * z
            spread[3] -= w * y * y
            spread[4] -= w * y * z
            spread[5] -= w * z * z
        ax, ay, az = smallest_axis(spread)
        front, back = np.zeros(4), np.zeros(4)
        for p in range(starts[k], starts[k + 1]):
            x, y, z = normals[p, 0], normals[p, 1], normals[p, 2]
            side = front if ax * x + ay * y + az * z >= 0.0 else back
            side[0] += weights[p]
            side[1] += weights[p] * x
            side[2] += weights[p] * y
            side[3] += weights[p] * z
        dot = front[1] * back[1] + front[2] * back[2] + front[3] * back[3]
        sizes = np.sqrt((front[1] ** 2 + front[2] ** 2 + front[3] ** 2) * (back[1] ** 2 + back[2] ** 2 + back[3] ** 2))
        if min(front[0], back[0]) < MIN_SECOND_SIDE_SHARE * (front[0] + back[0]) or dot > MAX_OPPOSITE_COS * sizes:
            continue
        lesser = -1.0 if front[0] >= back[0] else 1.0
        for p in range(starts[k], starts[k + 1]):
            along = ax * normals[p, 0] + ay * normals[p, 1] + az * normals[p, 2]
            if (along >= 0.0) == (lesser > 0.0):
                out[p] = 1
    return out


@njit(cache=True)
def _average_voxels(points, normals, weights, colors, owner, starts):  # type: ignore[no-untyped-def]
    """Average sorted points [n, 3] between starts; the normal is the axis of the normals, signed by their sum."""
    count = starts.size - 1
    centers, axes = np.zeros((count, 3)), np.zeros((count, 3))
    lab, hits = np.full((count, 3), np.nan), np.zeros(count, np.int64)
    spread = np.zeros(6)
    for k in range(count):
        total, tinted, last = 0.0, 0.0, -1
        spread[:] = 0.0
        nx = ny = nz = 0.0
        tint = np.zeros(3)
        for p in range(starts[k], starts[k + 1]):
            w = weights[p]
            total += w
            for a in range(3):
                centers[k, a] += w * points[p, a]
            x, y, z = normals[p, 0], normals[p, 1], normals[p, 2]
            nx += w * x
            ny += w * y
            nz += w * z
            spread[0] -= w * x * x
            spread[1] -= w * x * y
            spread[2] -= w * x * z
            spread[3] -= w * y * y
            spread[4] -= w * y * z
            spread[5] -= w * z * z
            if not np.isnan(colors[p, 0]):
                tinted += w
                for a in range(3):
                    tint[a] += w * colors[p, a]
            if owner[p] != last:
                hits[k] += 1
                last = owner[p]
        for a in range(3):
            centers[k, a] /= total
            if tinted > 0.0:
                lab[k, a] = tint[a] / tinted
        ax, ay, az = smallest_axis(spread)
        sign = 1.0 if ax * nx + ay * ny + az * nz >= 0.0 else -1.0
        axes[k, 0], axes[k, 1], axes[k, 2] = sign * ax, sign * ay, sign * az
    return centers, axes, lab, hits


def _is_well_supported(centers: Array, hits: Array, frames: Sequence[Frame], config: VoxelConfig) -> Array:
    """Return bool [n]: voxels hit often enough beside the frames that look through them."""
    _, through = count_observations(
        centers,
        frames,
        tolerance_m=4.0 * NOISE_FLOOR_M + LOOK_THROUGH_M,
        tolerance_per_m=4.0 * NOISE_PER_M,
        min_confidence=2,
    )
    least = 1 if len(frames) < 5 else 2
    return np.asarray((hits >= least) & (hits >= config.min_hit_share * (hits + through)))
