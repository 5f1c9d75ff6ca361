"""Complete legs that depth lost on one side of a mirror-symmetric object from the other side.

The vertical plane with the best mirror symmetry is searched; if nearly all of the body agrees, tall thin parts of the
mirror image that the body lacks are added, unless most views look through their place. Some may: a phone's depth fades
along a thin dark leg into the floor behind it.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from cousins.geometry import Array

MAX_VOTING_VOXELS = 3000
"""Largest number of voxels of the body that vote for a plane."""
MAX_MIRROR_DISTANCE_VOXELS = 3.0
"""Distance from the body beyond which a mirrored voxel is not part of it; at this distance it agrees by half."""
MIN_AGREEMENT = 0.8
"""Smallest mean agreement of the body with its mirror image (1 on it, 0 far from it)."""
MAX_OFFSET_SHARE = 0.1
"""Largest distance of the plane from the middle of the body, as a fraction of its extent."""
MIN_LEG_HEIGHT_SHARE = 0.1
"""Smallest height of a leg as a fraction of the body's height; it must also be taller than wide."""
MAX_FREE_VIEW_SHARE = 0.3
"""Largest fraction of the views that may look through the median voxel of an added leg."""


def mirror_legs(field: Array, body: Array, free_views: Array, *, voxel_m: float) -> tuple[Array, int]:
    """Return the field with lost legs of a mirror-symmetric body added, and how many were.

    `field` and `body` (bool) are [x, y, z]; `free_views` counts the views that look past each voxel, float32 [x, y, z].
    """
    voxels = np.argwhere(body)
    away = ndimage.distance_transform_edt(~body)
    angle, offset, agreement = _symmetry_plane(voxels, away)
    if agreement < MIN_AGREEMENT:
        return field, 0
    image = _mirror_body(body, angle, offset)
    parts, count = ndimage.label(image & (away > MAX_MIRROR_DISTANCE_VOXELS), np.ones((3, 3, 3)))
    least = MIN_LEG_HEIGHT_SHARE * float(np.ptp(voxels[:, 2]))
    added = 0
    for part in range(1, count + 1):
        is_part = parts == part
        tall, wide = leg_extent(np.argwhere(is_part))
        if tall < max(least, wide) or np.median(free_views[is_part]) > MAX_FREE_VIEW_SHARE * free_views.max():
            continue
        leg = ndimage.binary_dilation(is_part, iterations=int(MAX_MIRROR_DISTANCE_VOXELS) + 1) & image
        leg |= ndimage.binary_closing(leg, np.ones((3, 3, 3)))
        field = np.where(leg, np.minimum(field, -0.3 * voxel_m), field).astype(np.float32)
        added += 1
    return field, added


def leg_extent(voxels: Array) -> tuple[float, float]:
    """Return height and width of a part of voxels [n, 3] [voxels]; the width is the median over layers."""
    layers = [voxels[voxels[:, 2] == z, :2] for z in np.unique(voxels[:, 2])]
    return float(np.ptp(voxels[:, 2]) + 1), float(np.median([np.ptp(layer, axis=0).max() + 1 for layer in layers]))


def _symmetry_plane(voxels: Array, away: Array) -> tuple[float, float, float]:
    """Return the direction of the best plane's normal [rad], its offset [voxels] and its agreement."""
    points = voxels[:: max(1, len(voxels) // MAX_VOTING_VOXELS)].astype(float)
    middle = 0.5 * (voxels.min(axis=0) + voxels.max(axis=0))[:2]
    best = (0.0, 0.0, 0.0)
    for angle in np.deg2rad(np.arange(0.0, 180.0, 3.0)):
        best = _best_offset(best, points, away, float(angle), _offsets(points, middle, float(angle), 2.0))
    for angle in best[0] + np.deg2rad(np.arange(-2.5, 2.6, 0.5)):
        best = _best_offset(best, points, away, float(angle), best[1] + np.arange(-2.0, 2.1, 0.5))
    return best


def _offsets(points: Array, middle: Array, angle: float, step: float) -> Array:
    """Return the offsets that are tried for one direction [voxels]."""
    normal = np.array([np.cos(angle), np.sin(angle)])
    reach = MAX_OFFSET_SHARE * float(np.ptp(points[:, :2] @ normal))
    return float(middle @ normal) + np.arange(-reach, reach + step, step)


def _best_offset(
    best: tuple[float, float, float], points: Array, away: Array, angle: float, offsets: Array
) -> tuple[float, float, float]:
    """Return the best of the current plane and of planes of one direction."""
    for offset in offsets:
        index = np.rint(_mirror_points(points, angle, float(offset))).astype(int)
        inside = ((index >= 0) & (index < np.array(away.shape))).all(axis=1)
        close = np.maximum(1.0 - away[tuple(index[inside].T)] / (2.0 * MAX_MIRROR_DISTANCE_VOXELS), 0.0)
        agreement = float(close.sum()) / len(points)
        if agreement > best[2]:
            best = (angle, float(offset), agreement)
    return best


def _mirror_points(points: Array, angle: float, offset: float) -> Array:
    """Return points [n, 3] mirrored in an upright plane, in voxels."""
    normal = np.array([np.cos(angle), np.sin(angle), 0.0])
    return np.asarray(points - 2.0 * (points @ normal - offset)[:, None] * normal)


def _mirror_body(body: Array, angle: float, offset: float) -> Array:
    """Return the mirror image of a body, bool [x, y, z], by looking up the image of every voxel."""
    nx, ny, _ = body.shape
    columns = np.stack(np.meshgrid(np.arange(nx), np.arange(ny), [0], indexing="ij"), axis=-1).reshape(-1, 3)
    index = np.rint(_mirror_points(columns.astype(float), angle, offset)).astype(int)
    inside = ((index[:, :2] >= 0) & (index[:, :2] < (nx, ny))).all(axis=1)
    image = np.zeros((nx * ny, body.shape[2]), dtype=bool)
    image[inside] = body[index[inside, 0], index[inside, 1]]
    return image.reshape(body.shape)
