"""Support of each object: the plane under its foot, or the object just below it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.spatial import cKDTree

from cousins.geometry import Array
from cousins.segment.structure.planes import FixedStructure, heights_above_plane, inside_outline

MIN_FOOT_POINTS = 50
"""Number of lowest points that make a foot, within 1 to 5 % of all: a chair shows little of its legs."""
MAX_FOOT_GAP_M = 0.03
"""Largest distance of a foot from the plane that it stands on [m]: bottoms are visible down to the noise gate only."""


def supports_of(clouds: Sequence[Array], names: Sequence[str], structure: FixedStructure) -> list[str | None]:
    """Return the name of the plane or object that supports each point cloud [n, 3], None where unknown."""
    trees = [cKDTree(cloud) for cloud in clouds]
    supports: list[str | None] = []
    for k, cloud in enumerate(clouds):
        along = cloud @ structure.up
        foot = cloud[along <= np.quantile(along, min(0.05, max(0.01, MIN_FOOT_POINTS / len(along))))]
        supports.append(_plane_under(foot, structure) or _object_under(k, foot, clouds, trees, names, structure.up))
    return supports


def _plane_under(foot: Array, structure: FixedStructure) -> str | None:
    for fitted in sorted(structure.planes, key=lambda fitted: -float(fitted.plane.offset_m)):
        level = fitted.plane.kind != "wall"
        near = level and np.median(np.abs(heights_above_plane(fitted, foot))) < MAX_FOOT_GAP_M
        if near and inside_outline(fitted.plane, foot, margin_m=0.1).mean() > 0.5:
            return fitted.plane.name
    return None


def _object_under(
    k: int, foot: Array, clouds: Sequence[Array], trees: Sequence[cKDTree], names: Sequence[str], up: Array
) -> str | None:
    """Return the object nearest to the foot whose middle is lower."""
    best, name = 2.0 * MAX_FOOT_GAP_M, None
    for other, tree in enumerate(trees):
        if other == k or np.median(clouds[other] @ up) > np.median(clouds[k] @ up):
            continue
        gap = float(np.median(tree.query(foot)[0]))
        if gap < best:
            best, name = gap, names[other]
    return name
