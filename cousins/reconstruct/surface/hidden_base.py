"""Extend an object down to its support through space that no view observed, until it stands.

The object stood still when it was filmed. Where its reconstruction would fall over, something that the views did not
show carries it: the lowest hidden part of its underside reaches the support. Space that a view looked through stays
empty.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy import ndimage
from scipy.spatial import ConvexHull, QhullError

from cousins.geometry import Array
from cousins.reconstruct.surface.leg_repair import largest_component
from cousins.reconstruct.surface.view_evidence import VoxelGrid

MAX_GAP_SHARE: Final = 0.4
"""Highest underside that is extended down, as a share of the object's height: what is higher is a table top."""
MIN_STABILITY_MARGIN: Final = 0.25
"""How far inside the outline of its contact the centre of mass must lie, as a share of the contact's radius.

More than layout asks of a flat foot (0.15): convex decomposition moves outlines by a voxel or two."""


def extend_hidden_base(field: Array, free: Array, grid: VoxelGrid, *, base_m: float) -> tuple[Array, bool]:
    """Return the signed distance [m] with the object extended down to its support, and whether it was.

    `field` is float32 [x, y, z]; `free` marks the voxels that a view looked through, bool [x, y, z]. Columns are
    extended in the order of their gap, no more than the object needs to stand; nothing is changed where it stands as
    it is, or where all hidden columns together do not make it stand.
    """
    body = largest_component(field)
    base = int(np.searchsorted(grid.centers_m(2), base_m))
    body[:, :, :base] = False
    if not body.any():
        return field, False
    bottom = np.argmax(body, axis=2)
    layers = np.arange(field.shape[2])
    below = (layers >= base) & (layers < bottom[:, :, None])
    is_hidden = body.any(axis=2) & ~(free & below).any(axis=2)
    gap = bottom - base
    height = int(np.flatnonzero(body.any(axis=(0, 1)))[-1]) - base + 1
    middle = np.argwhere(body)[:, :2].mean(axis=0)
    is_contact = body.any(axis=2) & (gap <= 1)
    for limit in np.unique(gap[is_hidden & (gap > 1) & (gap <= MAX_GAP_SHARE * height)]):
        if _stability_margin(is_contact, middle) >= MIN_STABILITY_MARGIN:
            break
        is_contact |= is_hidden & (gap <= limit)
    is_extended = is_contact & (gap > 1)
    if not is_extended.any() or _stability_margin(is_contact, middle) < MIN_STABILITY_MARGIN:
        return field, False
    filled = is_extended[:, :, None] & (layers <= bottom[:, :, None])
    distance = ndimage.distance_transform_edt(~filled) - ndimage.distance_transform_edt(filled)
    return np.minimum(field, (distance * grid.voxel_m).astype(np.float32)), True


def _stability_margin(is_contact: Array, middle: Array) -> float:
    """Return how far a point [2] lies inside the hull of contact columns (bool [x, y]), by the hull's radius."""
    try:
        hull = ConvexHull(np.argwhere(is_contact))
    except (QhullError, ValueError):
        return -np.inf
    inside = -(hull.equations[:, :2] @ middle + hull.equations[:, 2]).max()
    return float(inside / np.sqrt(hull.volume / np.pi))
