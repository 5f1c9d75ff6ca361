"""Report what stood above the supports and became no object: nothing is dropped silently."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.spatial import cKDTree

from cousins.geometry import Array
from cousins.segment.parts.object_grouping import connected_labels

MIN_LEFTOVER_VOXELS = 20
"""Fewest voxels of a reported cluster: a third of the smallest object; depth noise makes smaller ones everywhere."""
OWNED_M = 0.02
"""A cluster that lies mostly this near to an object is its rim or foot [m]: flying pixels and pose drift."""
LINK_VOXELS = 1.8
"""Distance between the points of touching voxels in voxel edges: the diagonal of a cube."""


def report_leftovers(points: Array, objects: Sequence[Array], *, voxel_m: float) -> tuple[str, ...]:
    """Return a sentence with number, size and place of the clusters among points [n, 3] that no object holds.

    `points` are those above the supports that belong to no object; `objects` the points of each object [m, 3].
    """
    clusters = [cluster for cluster in _clusters(points, voxel_m) if len(cluster) >= MIN_LEFTOVER_VOXELS]
    if objects and clusters:
        owners = cKDTree(np.concatenate(list(objects)))
        distances = [owners.query(cluster, distance_upper_bound=OWNED_M)[0] for cluster in clusters]
        clusters = [cluster for cluster, gap in zip(clusters, distances, strict=True) if np.isfinite(gap).mean() < 0.5]
    if not clusters:
        return ()
    largest = max(clusters, key=len)
    size = " x ".join(f"{100.0 * extent:.0f}" for extent in np.ptp(largest, axis=0) + voxel_m)
    x, y, z = np.median(largest, axis=0)
    count = "1 cluster" if len(clusters) == 1 else f"{len(clusters)} clusters"
    verb, rest = ("is", "it") if len(clusters) == 1 else ("are", "the largest of them")
    sentence = (
        f"{count} above the supports {verb} too small or too noisy for an object and not among the objects; {rest} "
        f"({size} cm) lies at x {x:.2f} m, y {y:.2f} m, z {z:.2f} m: go nearer to include small things"
    )
    return (sentence,)


def _clusters(points: Array, voxel_m: float) -> list[Array]:
    """Return the points [m, 3] of each connected cluster, in the order of their first points."""
    if len(points) == 0:
        return []
    pairs = cKDTree(points).query_pairs(LINK_VOXELS * voxel_m, output_type="ndarray")
    label = connected_labels(len(points), pairs)
    order = np.argsort(label, kind="stable")
    return list(np.split(points[order], np.flatnonzero(np.diff(label[order])) + 1))
