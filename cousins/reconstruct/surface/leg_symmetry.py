"""Legs that depth lost on one side of a symmetric object are taken from the other side.

The upright plane is found in which the body mirrors onto itself best; where nearly all of the body agrees, tall thin
parts of the mirror image that the body lacks are added, unless most views look through where they would be. Some may:
a phone's depth fades along a thin dark leg into the floor behind it.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from cousins.geometry import Array

POINTS = 3000
"""Voxels of the body that vote for a plane."""
NEAR_VOXELS = 3.0
"""A mirrored voxel farther from the body is none of its own; at this distance it agrees by half."""
LEAST_AGREEMENT = 0.8
"""Mean agreement of the body with its mirror image (1 on it, 0 far from it): less, and the likeness is chance."""
SPAN_SHARE = 0.1
"""How far from the middle of the body the plane may lie, as a part of its extent."""
LEAST_HEIGHT_SHARE = 0.1
"""A leg is at least this share of the body's height tall, and taller than wide."""
MOST_LOOKS_SHARE = 0.3
"""A leg is left out when more than this share of the views look through the middle one of its voxels."""


def mirror_legs(field: Array, body: Array, looks: Array, *, voxel_m: float) -> tuple[Array, int]:
    """Return the field with lost legs of a mirror-symmetric body added, and how many were.

    `looks` counts by voxel the views that look past it, float32 [x, y, z].
    """
    voxels = np.argwhere(body)
    away = ndimage.distance_transform_edt(~body)
    angle, offset, agreement = _plane(voxels, away)
    if agreement < LEAST_AGREEMENT:
        return field, 0
    image = _image(body, angle, offset)
    parts, count = ndimage.label(image & (away > NEAR_VOXELS), np.ones((3, 3, 3)))
    least = LEAST_HEIGHT_SHARE * float(np.ptp(voxels[:, 2]))
    added = 0
    for part in range(1, count + 1):
        own = parts == part
        tall, wide = extent(np.argwhere(own))
        if tall < max(least, wide) or np.median(looks[own]) > MOST_LOOKS_SHARE * looks.max():
            continue
        whole = ndimage.binary_dilation(own, iterations=int(NEAR_VOXELS) + 1) & image
        whole |= ndimage.binary_closing(whole, np.ones((3, 3, 3)))
        field = np.where(whole, np.minimum(field, -0.3 * voxel_m), field).astype(np.float32)
        added += 1
    return field, added


def extent(voxels: Array) -> tuple[float, float]:
    """Return how tall and how wide a part is [voxels]; its width is that of its middle layer, so that it may slant."""
    layers = [voxels[voxels[:, 2] == z, :2] for z in np.unique(voxels[:, 2])]
    return float(np.ptp(voxels[:, 2]) + 1), float(np.median([np.ptp(layer, axis=0).max() + 1 for layer in layers]))


def _plane(voxels: Array, away: Array) -> tuple[float, float, float]:
    """Return the direction of the best plane's normal [rad], its offset [voxels] and its agreement."""
    points = voxels[:: max(1, len(voxels) // POINTS)].astype(float)
    middle = 0.5 * (voxels.min(axis=0) + voxels.max(axis=0))[:2]
    best = (0.0, 0.0, 0.0)
    for angle in np.deg2rad(np.arange(0.0, 180.0, 3.0)):
        best = _better(best, points, away, float(angle), _offsets(points, middle, float(angle), 2.0))
    for angle in best[0] + np.deg2rad(np.arange(-2.5, 2.6, 0.5)):
        best = _better(best, points, away, float(angle), best[1] + np.arange(-2.0, 2.1, 0.5))
    return best


def _offsets(points: Array, middle: Array, angle: float, step: float) -> Array:
    """Return the offsets that are tried for one direction [voxels]."""
    normal = np.array([np.cos(angle), np.sin(angle)])
    reach = SPAN_SHARE * float(np.ptp(points[:, :2] @ normal))
    return float(middle @ normal) + np.arange(-reach, reach + step, step)


def _better(
    best: tuple[float, float, float], points: Array, away: Array, angle: float, offsets: Array
) -> tuple[float, float, float]:
    """Return the best of what is known and of some planes of one direction."""
    for offset in offsets:
        index = np.rint(_reflected(points, angle, float(offset))).astype(int)
        inside = ((index >= 0) & (index < np.array(away.shape))).all(axis=1)
        close = np.maximum(1.0 - away[tuple(index[inside].T)] / (2.0 * NEAR_VOXELS), 0.0)
        agreement = float(close.sum()) / len(points)
        if agreement > best[2]:
            best = (angle, float(offset), agreement)
    return best


def _reflected(points: Array, angle: float, offset: float) -> Array:
    """Return points [n, 3] mirrored in an upright plane, in voxels."""
    normal = np.array([np.cos(angle), np.sin(angle), 0.0])
    return np.asarray(points - 2.0 * (points @ normal - offset)[:, None] * normal)


def _image(body: Array, angle: float, offset: float) -> Array:
    """Return the mirror image of a body, bool [x, y, z]: every voxel asks where its own image lies."""
    nx, ny, _ = body.shape
    columns = np.stack(np.meshgrid(np.arange(nx), np.arange(ny), [0], indexing="ij"), axis=-1).reshape(-1, 3)
    index = np.rint(_reflected(columns.astype(float), angle, offset)).astype(int)
    inside = ((index[:, :2] >= 0) & (index[:, :2] < (nx, ny))).all(axis=1)
    image = np.zeros((nx * ny, body.shape[2]), dtype=bool)
    image[inside] = body[index[inside, 0], index[inside, 1]]
    return image.reshape(body.shape)
