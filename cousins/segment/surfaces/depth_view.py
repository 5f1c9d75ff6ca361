"""Foreground of one depth view: the pixels on no fixed plane, as an oriented surface."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from skimage.color import rgb2lab

from cousins.capture.captures import Frame
from cousins.geometry import Array
from cousins.segment.structure.planes import (
    BOARD_M,
    FittedPlane,
    FixedStructure,
    heights_above_plane,
    inside_outline,
    is_beyond_wall,
    is_over_support,
)
from cousins.segment.surfaces.surface import Surface, noise_m, normals_at, world_points

MIN_ENCLOSED_PIXELS = 40
"""Fewest pixels of a region of a plane, enclosed by the foreground, that may be the bottom of something."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ForegroundView:
    """One frame, separated into fixed planes and foreground."""

    frame: Frame
    """The frame."""
    points: Array
    """World points [m], float64 [h, w, 3]."""
    above: Array
    """Pixels that belong to no plane, or to a part of one that the foreground encloses; bool [h, w]."""
    enclosed: Array
    """Those of them that lie on a plane: the bottom of a bowl, or table between things; bool [h, w]."""
    rows: Array
    """Row of each point of the surface, int64 [n]."""
    columns: Array
    """Column of each point of the surface, int64 [n]."""
    surface: Surface
    """The pixels above the planes, in row order."""


def plane_deviations(fitted: FittedPlane, points: Array, normals: Array) -> Array:
    """Return how far the measured surface deviates from its plane [m] at points [..., 3] with normals [..., 3].

    A quadratic over the plane's inliers, by iterated reweighting (Tukey): it follows lens and range
    distortion or a bowed floor, and is too stiff to follow a book or plate that lies on it.
    """
    flat = np.abs(heights_above_plane(fitted, points)) < max(6.0 * fitted.scatter_m, 0.008)
    flat &= normals @ fitted.plane.normal > np.cos(np.deg2rad(20.0))
    flat &= inside_outline(fitted.plane, points)
    if flat.sum() < 500:
        return np.zeros(points.shape[:-1])
    return _robust_quadratic(points[flat], heights_above_plane(fitted, points[flat]), points, fitted)


def _robust_quadratic(plane_points: Array, residual: Array, points: Array, fitted: FittedPlane) -> Array:
    centre = plane_points.mean(axis=0)
    helper = np.linalg.svd(fitted.plane.normal[None, :])[2][1:]
    size = float(np.abs((plane_points - centre) @ helper.T).max())

    def terms(positions: Array) -> Array:
        x, y = np.moveaxis((positions - centre) @ helper.T / size, -1, 0)
        return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1)

    design = terms(plane_points)
    weights: Array = np.ones(len(plane_points))
    fit = np.zeros(6)
    for _ in range(8):
        scaled = design * weights[:, None]
        fit = np.linalg.solve(scaled.T @ design + 1e-9 * len(plane_points) * np.eye(6), scaled.T @ residual)
        rest = residual - design @ fit
        scale = 4.685 * 1.4826 * max(float(np.median(np.abs(rest))), 1e-4)
        weights = np.square(np.clip(1.0 - np.square(rest / scale), 0.0, None))
    bound = 0.01
    return np.asarray(
        np.clip(terms(np.clip(points, plane_points.min(axis=0), plane_points.max(axis=0))) @ fit, -bound, bound)
    )


def foreground_view(frame: Frame, structure: FixedStructure, *, color: bool = True) -> ForegroundView:
    """Return a frame's points above its planes as a surface on the pixel grid."""
    points = world_points(frame)
    valid = frame.depth_m > 0.0
    rows, columns = np.nonzero(valid)
    radius = max(3, round(frame.depth_camera.width / 160))
    normals = np.zeros_like(points)
    normals[rows, columns] = normals_at(frame, points, rows, columns, radius=radius)
    above = valid.copy()
    excess = np.full(valid.shape, np.inf)
    scatter = 0.0015
    over_board = is_over_support(structure, points, ("table",))
    for fitted in structure.planes:
        height = heights_above_plane(fitted, points) - plane_deviations(fitted, points, normals)
        blurred, local = _smooth_height(height, frame.depth_m, normals @ fitted.plane.normal)
        over = blurred - np.clip(3.0 * local, 0.003, 3.0 * noise_m(frame.depth_m))
        if fitted.plane.kind == "wall":
            is_behind = (over < 0.01) & ~is_beyond_wall(structure, fitted, points, normals)
            above &= ~(is_behind & inside_outline(fitted.plane, points, margin_m=0.03))
        else:
            within = inside_outline(fitted.plane, points, margin_m=_outline_margin_m(fitted))
            above &= ~((over < 0.0) & ~((height < -BOARD_M) & over_board) & within)
            excess = np.where(within, np.minimum(excess, over), excess)
        scatter = max(scatter, fitted.scatter_m)
    above = _mask_without_specks(above, excess, frame)
    enclosed = _enclosed_ground(above, valid)
    above |= enclosed
    rows, columns = np.nonzero(above)
    surface = _surface(frame, points, normals, rows, columns, sigma_m=scatter, color=color)
    return ForegroundView(
        frame=frame, points=points, above=above, enclosed=enclosed, rows=rows, columns=columns, surface=surface
    )


def _enclosed_ground(above: Array, valid: Array) -> Array:
    """Return bool [h, w]: pixels of planes in regions that the foreground encloses; unknown pixels belong to both."""
    regions, count = ndimage.label(~above)
    is_open = np.zeros(count + 1, dtype=bool)
    for side in (regions[0], regions[-1], regions[:, 0], regions[:, -1]):
        is_open[side] = True
    is_open |= np.bincount((regions * valid).ravel(), minlength=count + 1) < MIN_ENCLOSED_PIXELS
    return np.asarray(valid & ~above & ~is_open[regions])


def _outline_margin_m(fitted: FittedPlane) -> float:
    """Return how far a support goes on beyond its outline [m]: a floor everywhere, also where it is seen in patches."""
    return np.inf if fitted.plane.kind == "floor" else 0.2


def _smooth_height(height: Array, depth_m: Array, facing: Array) -> tuple[Array, Array]:
    """Return heights averaged over 3 by 3 pixels of the plane, and the scatter of the plane at each pixel's depth."""
    valid = depth_m > 0.0
    flat = valid & (np.abs(height) < 0.03)
    near = ndimage.uniform_filter(flat.astype(np.float64), 3)
    weight = ndimage.uniform_filter(valid.astype(np.float64), 3)
    total = ndimage.uniform_filter(np.where(flat, height, 0.0), 3)
    blurred = np.where(flat & (near > 0.99 * weight), total / np.maximum(near, 1e-9), height)
    return blurred, _scatter_by_depth(blurred, depth_m, flat & (facing > np.cos(np.deg2rad(25.0))))


def _scatter_by_depth(height: Array, depth_m: Array, on_plane: Array) -> Array:
    """Return the robust standard deviation of plane heights [m] as a function of depth, at every pixel.

    Measured in ten bands of depth; the centre of each band is its median, so that a slow bend of the sensor counts.
    """
    z, h = depth_m[on_plane], np.abs(height[on_plane])
    if len(z) < 500:
        return noise_m(depth_m)
    cuts = np.quantile(z, np.linspace(0.0, 1.0, 11))
    band = np.clip(np.searchsorted(cuts, z) - 1, 0, 9)
    scatter = [1.4826 * float(np.median(h[band == k])) if (band == k).any() else 0.0 for k in range(10)]
    return np.asarray(np.interp(depth_m, 0.5 * (cuts[1:] + cuts[:-1]), scatter))


def _mask_without_specks(above: Array, excess: Array, frame: Frame) -> Array:
    """Drop groups of pixels within sensor noise: under 1.5 cm across or barely over the gate."""
    labels, count = ndimage.label(above, np.ones((3, 3)))
    if count == 0:
        return above
    footprint = np.square(frame.depth_m.astype(np.float64) / frame.depth_camera.fx)
    area = ndimage.sum_labels(footprint, labels, np.arange(count + 1))
    clear_area = ndimage.sum_labels(footprint * (excess > 0.005), labels, np.arange(count + 1))
    is_kept = (area >= 0.015**2) & (clear_area > 0.25 * area)
    is_kept[0] = False
    return np.asarray(is_kept[labels])


def _surface(
    frame: Frame, points: Array, normals: Array, rows: Array, columns: Array, *, sigma_m: float, color: bool
) -> Surface:
    index = np.full(frame.depth_m.shape, -1, dtype=np.int64)
    index[rows, columns] = np.arange(len(rows))
    spacing = float(np.median(frame.depth_m[rows, columns])) / frame.depth_camera.fx if len(rows) else 0.002
    edges = [
        _neighbour_links(index, points, normals, dv, du, spacing, sigma_m)
        for dv, du in ((0, 1), (1, 0), (1, 1), (1, -1))
    ]
    lab = _lab_image(frame) if color else None
    tint = lab[rows, columns] if lab is not None else np.full((len(rows), 3), np.nan)
    return Surface(
        points=points[rows, columns],
        normals=normals[rows, columns],
        colors=tint,
        edges=np.concatenate(edges) if edges else np.zeros((0, 2), dtype=np.int64),
        spacing_m=spacing / 3.0,
        sigma_m=sigma_m,
    )


def _neighbour_links(
    index: Array, points: Array, normals: Array, dv: int, du: int, spacing: float, sigma_m: float
) -> Array:
    """Return pairs [m, 2] of neighbours at one pixel offset whose surfaces are continuous."""
    height, width = index.shape
    source = (slice(0, height - dv), slice(max(0, -du), width - max(0, du)))
    target = (slice(dv, height), slice(max(0, du), width + min(0, du)))
    gap = points[target] - points[source]
    joined = (index[source] >= 0) & (index[target] >= 0) & (np.linalg.norm(gap, axis=-1) < 10.0 * spacing)
    first = np.abs(np.einsum("ijk,ijk->ij", gap, normals[source]))
    second = np.abs(np.einsum("ijk,ijk->ij", gap, normals[target]))
    joined &= np.minimum(first, second) < max(6.0 * sigma_m, 2.0 * spacing)
    return np.stack([index[source][joined], index[target][joined]], axis=1)


def _lab_image(frame: Frame) -> Array | None:
    """Return the colour at each depth pixel in CIE Lab, or None without colour."""
    rgb = frame.color(width=frame.depth_camera.width)
    if rgb is None or rgb.shape[:2] != frame.depth_m.shape:
        return None
    return np.asarray(rgb2lab(ndimage.uniform_filter(rgb.astype(np.float64) / 255.0, (3, 3, 0))))
