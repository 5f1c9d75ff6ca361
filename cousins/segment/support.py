"""What carries each object: the plane under its foot, or the object just below it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.spatial import cKDTree

from cousins.geometry import Array
from cousins.segment.structure.planes import Structure, heights, inside_outline

FOOT_POINTS = 50
"""Points that make a foot, within 1 to 5 % of all: a chair shows little of its legs beside its seat."""
NEAR_M = 0.03
"""A foot this near to a plane stands on it [m]: bottoms are seen down to the plane's noise gate only."""


def supports_of(clouds: Sequence[Array], names: Sequence[str], structure: Structure) -> list[str | None]:
    """Return the name of the plane or object that carries each point cloud [n, 3], None where unknown."""
    trees = [cKDTree(cloud) for cloud in clouds]
    found: list[str | None] = []
    for k, cloud in enumerate(clouds):
        along = cloud @ structure.up
        foot = cloud[along <= np.quantile(along, min(0.05, max(0.01, FOOT_POINTS / len(along))))]
        found.append(_plane_under(foot, structure) or _object_under(k, foot, clouds, trees, names, structure.up))
    return found


def _plane_under(foot: Array, structure: Structure) -> str | None:
    for fitted in sorted(structure.planes, key=lambda fitted: -float(fitted.plane.offset_m)):
        level = fitted.plane.kind != "wall"
        near = level and np.median(np.abs(heights(fitted, foot))) < NEAR_M
        if near and inside_outline(fitted.plane, foot, margin_m=0.1).mean() > 0.5:
            return fitted.plane.name
    return None


def _object_under(
    k: int, foot: Array, clouds: Sequence[Array], trees: Sequence[cKDTree], names: Sequence[str], up: Array
) -> str | None:
    """Return the object nearest to the foot whose middle is lower."""
    best, name = 2.0 * NEAR_M, None
    for other, tree in enumerate(trees):
        if other == k or np.median(clouds[other] @ up) > np.median(clouds[k] @ up):
            continue
        gap = float(np.median(tree.query(foot)[0]))
        if gap < best:
            best, name = gap, names[other]
    return name
