"""Pieces of one depth view as pairs of regions are compared: member samples and the borders between them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from cousins.geometry import Array
from cousins.segment.parts.convex_patches import Patches, bend_angles_deg
from cousins.segment.parts.occlusion import Borders, find_borders
from cousins.segment.surfaces.depth_view import ForegroundView

GROUNDED_HEIGHT_M = 0.015
"""Height of a border with the background below which a piece stands on its support [m]."""
MIN_LEVEL_COS = 0.7
"""Smallest cosine between a normal and up of a face on which things rest: 45 degrees."""
RESTING_SLACK_M = 0.005
"""Height by which a supporting face may rise above what rests on it [m]: noise at edges."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ViewPieces:
    """Pieces of a view, each pixel of the foreground in one, and what their borders show."""

    labels: Array
    """Piece of each point, int64 [n]."""
    points: Array
    """World points [m], float64 [n, 3]."""
    normals: Array
    """Unit normals of the patches of the points, float64 [n, 3]."""
    colors: Array
    """CIE Lab, float64 [n, 3]; NaN where unknown."""
    pixels: Array
    """Row and column of each point, int64 [n, 2]."""
    pixel_areas_m2: Array
    """Area that each pixel covers across the line of sight [m²], float64 [n]."""
    height_m: Array
    """Height above the support [m], float64 [n]."""
    on_plane: Array
    """Whether each point lies on a plane that the foreground encloses, bool [n]."""
    up: Array
    """Unit vector against gravity, float64 [3]."""
    sigma_m: float
    """Noise of a point along its normal [m]."""
    border: BorderSamples
    """Samples of the borders."""

    def relabelled(self, group_of_piece: Array) -> ViewPieces:
        """Return the pieces joined to groups; `group_of_piece` int64 [k] counts from 0."""
        first, second = self.border.first, self.border.second
        first, second = group_of_piece[first], np.where(second >= 0, group_of_piece[second], -1)
        keep_mask = first != second
        return replace(
            self,
            labels=group_of_piece[self.labels],
            border=replace(self.border, first=first, second=second).subset(keep_mask),
        )


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class BorderSamples:
    """Pixel pairs at which one piece ends: the first side is a piece, the second another one or -1, the background."""

    first: Array
    """Piece on the first side, int64 [m]."""
    second: Array
    """Piece on the second side, int64 [m]; -1 background."""
    length_m: Array
    """Length of border that each sample represents [m], float64 [m]."""
    touching: Array
    """The two sides touch in space, bool [m]."""
    in_front: Array
    """The first side is nearer to the camera by more than a touch, bool [m]."""
    behind: Array
    """The first side is further from the camera by more than a touch, bool [m]."""
    bend_deg: Array
    """Bend between the patches of both sides [degree], negative concave; float64 [m]."""
    step: Array
    """Step between both sides along their normals, in standard deviations of the noise; float64 [m]."""
    color_step: Array
    """Lab difference of the patches of both sides; 0 where unknown; float64 [m]."""
    rests: Array
    """The first side rests on a level face of the second, bool [m]."""
    on_ground: Array
    """The first side ends low over the background that it touches, bool [m]."""
    height_m: Array
    """Height of the first side above the support [m], float64 [m]."""
    drop_m: Array
    """How much lower the second side is [m], float64 [m]."""

    def subset(self, mask: Array) -> BorderSamples:
        """Return the samples selected by a mask, bool [m]."""
        return BorderSamples(**{name: getattr(self, name)[mask] for name in self.__slots__})


def describe_pieces(
    view: ForegroundView, patches: Patches, piece_of_patch: Array, height_m: Array, *, up: Array
) -> ViewPieces:
    """Return the pieces of a view; `piece_of_patch` int64 [k] counts from 0, `height_m` [h, w] is over the support."""
    depth_m = view.frame.depth_m
    labels = np.full(depth_m.shape, -1, dtype=np.int64)
    labels[view.rows, view.columns] = piece_of_patch[patches.patch_of_point]
    patch_image = np.full(depth_m.shape, -1, dtype=np.int64)
    patch_image[view.rows, view.columns] = patches.patch_of_point
    footprint = 1.0 / view.frame.depth_camera.fx
    borders = find_borders(labels, view.points, depth_m, footprint=footprint, sigma_m=view.surface.sigma_m)
    tints = _patch_colors(view.surface.colors, patches.patch_of_point, len(patches.centers))
    return ViewPieces(
        labels=labels[view.rows, view.columns],
        points=view.surface.points,
        normals=patches.normals[patches.patch_of_point],
        colors=view.surface.colors,
        pixels=np.stack([view.rows, view.columns], axis=1),
        pixel_areas_m2=np.square(depth_m[view.rows, view.columns].astype(np.float64) * footprint),
        height_m=height_m[view.rows, view.columns],
        on_plane=view.enclosed[view.rows, view.columns],
        up=up,
        sigma_m=view.surface.sigma_m,
        border=_border_samples(view, borders, patches, patch_image, tints, height_m, up),
    )


def _patch_colors(colors: Array, patch_of_point: Array, count: int) -> Array:
    """Return the mean Lab colour of each patch, float64 [count, 3]; NaN where unknown."""
    with_color = np.isfinite(colors[:, 0])
    counts = np.bincount(patch_of_point[with_color], minlength=count)
    sums = [np.bincount(patch_of_point[with_color], weights=colors[with_color, k], minlength=count) for k in range(3)]
    return np.where(counts[:, None] > 0, np.stack(sums, axis=1) / np.maximum(counts, 1)[:, None], np.nan)


def _border_samples(
    view: ForegroundView,
    borders: Borders,
    patches: Patches,
    patch_image: Array,
    tints: Array,
    height_m: Array,
    up: Array,
) -> BorderSamples:
    keep_mask = borders.first >= 0
    first, second, i, j = (
        values[keep_mask] for values in (borders.first, borders.second, borders.first_pixel, borders.second_pixel)
    )
    touching, in_front = borders.touching[keep_mask], borders.in_front[keep_mask]
    patch_pairs = np.stack([patch_image.ravel()[i], np.maximum(patch_image.ravel()[j], 0)], axis=1)
    between = second >= 0
    normals = np.where(between[:, None, None], patches.normals[patch_pairs], up)
    points, height = view.points.reshape(-1, 3), height_m.ravel()
    gap = points[j] - points[i]
    along = np.abs(np.einsum("mj,mkj->mk", gap, normals)).min(axis=1)
    level = normals @ up
    below = (level[:, 1] > MIN_LEVEL_COS) & (height[j] <= height[i] + RESTING_SLACK_M)
    return BorderSamples(
        first=first,
        second=second,
        length_m=borders.length_m[keep_mask],
        touching=touching,
        in_front=in_front,
        behind=~touching & ~in_front,
        bend_deg=np.where(between, bend_angles_deg(patches.centers, patches.normals, patch_pairs), 0.0),
        step=np.where(between, along / view.surface.sigma_m, 0.0),
        color_step=np.nan_to_num(np.linalg.norm(tints[patch_pairs[:, 0]] - tints[patch_pairs[:, 1]], axis=1)),
        rests=touching & between & below & (level[:, 0] < MIN_LEVEL_COS),
        on_ground=touching & ~between & (height[i] < GROUNDED_HEIGHT_M),
        height_m=height[i],
        drop_m=height[i] - height[j],
    )
