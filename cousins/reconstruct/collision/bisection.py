"""Approximate convex decomposition by plane cuts: the fast fallback when CoACD fails."""

from __future__ import annotations

import manifold3d
import numpy as np

CUTS_PER_AXIS = 5
"""Candidate planes tried along each axis of a part."""


def bisect_solid(solid: manifold3d.Manifold, *, max_pieces: int) -> list[manifold3d.Manifold]:
    """Return at most `max_pieces` convex hulls that cover a solid.

    Greedy: the part whose hull adds most volume is cut by the axis-aligned plane that leaves the least
    added volume, until the budget is used or the hulls add less than 2 % of the solid.
    """
    parts = _connected(solid)
    while len(parts) < max_pieces:
        excess = [part.hull().volume() - part.volume() for part in parts]
        worst = int(np.argmax(excess))
        if sum(excess) < 0.02 * solid.volume():
            break
        halves = _best_cut(parts[worst])
        if len(halves) < 2 or len(parts) - 1 + len(halves) > max_pieces:
            break
        parts[worst : worst + 1] = halves
    return [part.hull() for part in parts]


def _connected(solid: manifold3d.Manifold) -> list[manifold3d.Manifold]:
    return [part for part in solid.decompose() if part.volume() > 0.0]


def _best_cut(part: manifold3d.Manifold) -> list[manifold3d.Manifold]:
    box = np.asarray(part.bounding_box()).reshape(2, 3)
    best: tuple[float, list[manifold3d.Manifold]] = (np.inf, [])
    for axis in range(3):
        normal = tuple(np.eye(3)[axis])
        for share in np.linspace(0.0, 1.0, CUTS_PER_AXIS + 2)[1:-1]:
            offset = box[0, axis] + share * (box[1, axis] - box[0, axis])
            halves = [piece for half in part.split_by_plane(normal, offset) for piece in _connected(half)]
            excess = sum(half.hull().volume() - half.volume() for half in halves)
            if len(halves) > 1 and excess < best[0]:
                best = excess, halves
    return best[1]
