"""Convex pieces of a map to things: what belongs together, what is a foot, and what is ground in disguise."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from cousins.geometry import Array
from cousins.segment.parts.contacts import LEVEL_COS, Footing, capped, continued, describe_map, enclosed, members_of
from cousins.segment.parts.part_merging import contacts_of, parts
from cousins.segment.parts.stability_grouping import GroupConfig, Pieces, settle, union
from cousins.segment.structure.planes import basis_of
from cousins.segment.surfaces.surface import Surface

MIN_VOXELS = 60
"""Least voxels of an object: a die of four voxels has about as many."""
FOOT = 0.25
"""Greatest area of a foot beside its thing."""
SMEAR_M = 0.06
"""Height over smeared ground within which a foot goes on upwards [m]."""
ROUNDS = 6
"""Most rounds in which pieces join their things: each halves the parts at least."""
GHOST_M = 0.1
"""Height up to which a patch with ground seen under it is taken for a second layer of that ground [m]."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Part:
    """What is above the planes."""

    surface: Surface
    """Points and neighbours."""
    normals: Array
    """Normal of the patch of each point, float64 [n, 3]."""
    height_m: Array
    """Height above the support below [m], float64 [n]."""
    grounded: Array
    """Points beside the ground or what was dropped, bool [n]."""
    voxel_m: float
    """Voxel edge [m]."""
    up: Array
    """Unit vector against gravity, float64 [3]."""

    def restricted(self, chosen: Array) -> Part:
        """Return the chosen points [n] alone; those beside the others count as beside the ground."""
        beside = self.grounded | ~chosen
        a, b = self.surface.edges.T
        beside[a[~chosen[b]]] = True
        beside[b[~chosen[a]]] = True
        return replace(
            self,
            surface=part_of(self.surface, chosen),
            normals=self.normals[chosen],
            height_m=self.height_m[chosen],
            grounded=beside[chosen],
        )

    def describe(self, labels: Array) -> tuple[Pieces, Footing]:
        """Return contacts and supports for these labels [n]."""
        return describe_map(self.surface, labels, self.normals, self.height_m, voxel_m=self.voxel_m, up=self.up)


def objects_of(part: Part, labels: Array, group: GroupConfig, *, low_m: float) -> Array:
    """Join convex pieces to objects; -1 for rests too small to be one.

    Low pieces of taller groups may be ground smeared about feet, which would look like shelves: they join last.
    """
    low = _low(part, labels, low_m)
    upper = part.restricted(~low)
    found = np.full(len(labels), -1, dtype=np.int64)
    found[~low] = _grouped(upper, np.unique(labels[~low], return_inverse=True)[1].ravel(), group)
    first = int(labels.max()) + 1
    merged = np.where(found >= 0, found + first, labels)
    for _ in range(ROUNDS):
        joins = [
            (contact.first, contact.second) for contact in contacts_of(part.surface, merged) if contact.first < first
        ]
        upward = {piece: thing for piece, thing in joins if thing >= first}
        if not upward:
            break
        merged = np.array([upward.get(k, k) for k in range(int(merged.max()) + 1)])[merged]
    alone = np.bincount(merged) * part.voxel_m**2 >= group.min_area_m2
    return np.where(alone[merged], np.cumsum(alone)[merged] - 1, -1)


def _low(part: Part, labels: Array, low_m: float) -> Array:
    """Return bool [n]: points of pieces no higher than smeared ground that are a small part of what they touch."""
    group = components(len(labels), part.surface.edges)
    sizes = np.bincount(group)
    low = np.zeros(len(labels), dtype=bool)
    for of in members_of(labels):
        small = len(of) < FOOT * sizes[group[of[0]]]
        low[of] = small and float(np.quantile(part.height_m[of], 0.95)) < low_m
    return low


def _grouped(part: Part, labels: Array, group: GroupConfig) -> Array:
    """Join pieces to things by how they meet and by what can stand; -1 for rests too small to be one."""
    pieces, _ = part.describe(labels)
    labels = _joined(labels, enclosed(part.surface.points, part.normals, labels, pieces, voxel_m=part.voxel_m))
    for _ in range(ROUNDS):
        pieces, _ = part.describe(labels)
        ends = frozenset(continued(part.surface, labels, part.height_m, pieces, up=part.up))
        same = capped(part.surface, labels, pieces, up=part.up)
        same += parts(part.surface, labels, part.normals, pieces, grounded=part.grounded, ends=ends, up=part.up)
        if not same:
            break
        labels = _joined(labels, same)
        pieces, _ = part.describe(labels)
        labels = _joined(labels, enclosed(part.surface.points, part.normals, labels, pieces, voxel_m=part.voxel_m))
    pieces, footing = part.describe(labels)
    alone = replace(pieces, carried=np.zeros_like(pieces.carried))
    number, kept = settle(alone, config=group, stands=footing.stands)
    return np.where(kept, np.cumsum(kept) - 1, -1)[number[labels]]


def _joined(labels: Array, pairs: list[tuple[int, int]]) -> Array:
    groups = np.asarray(union(list(range(int(labels.max()) + 1)), pairs))
    return np.unique(groups, return_inverse=True)[1].ravel()[labels]


def smear_m(noise_m: float, voxel_m: float) -> float:
    """Return the height up to which ground smears about a foot [m]: its noise, or the spread of two depth pixels."""
    return max(4.0 * noise_m, 2.5 * voxel_m)


def keep_real(part: Part, labels: Array, ground: Array, noise_m: float) -> tuple[Array, tuple[str, ...]]:
    """Drop what is ground in disguise: in its noise, or a second layer of it; and ground smeared around feet."""
    low_m = smear_m(noise_m, part.voxel_m)
    flat = part.surface.points @ basis_of(part.up).T
    beneath, _ = cKDTree(ground @ basis_of(part.up).T).query(flat) if len(ground) else (np.full(len(flat), np.inf), 0)
    real, ghosts = [], 0
    for of in (np.flatnonzero(labels == k) for k in range(int(labels.max()) + 1)):
        top = float(np.quantile(part.height_m[of], 0.95))
        flat_share = float((part.normals[of] @ part.up > LEVEL_COS).mean())
        layered = top < GHOST_M and flat_share > 0.8 and float((beneath[of] < part.voxel_m).mean()) > 0.5
        usual = _usual_top(flat[of], part.height_m[of], part.voxel_m)
        layered &= usual < low_m
        real.append(top > low_m and usual > 2.0 * part.voxel_m and not layered and len(of) >= MIN_VOXELS)
        ghosts += not real[-1]
    kept = np.where(real, np.cumsum(real) - 1, -1)
    labels = np.where(labels >= 0, kept[labels], -1)
    labels = np.where(_no_smear(part, labels, low_m), labels, -1)
    message = f"{ghosts} low patches were taken for ground: they lie within its noise or the ground shows under them"
    return labels, (message,) if ghosts else ()


def _usual_top(flat: Array, height_m: Array, voxel_m: float) -> float:
    """Return the median over a footprint [n, 2] of how high a thing reaches [m], on cells of two voxels."""
    cells = np.unique(np.floor(flat / (2.0 * voxel_m)), axis=0, return_inverse=True)[1].ravel()
    tops = np.full(int(cells.max(initial=-1)) + 1, -np.inf)
    np.maximum.at(tops, cells, height_m)
    return float(np.median(tops)) if len(tops) else 0.0


def part_of(surface: Surface, chosen: Array) -> Surface:
    """Return the chosen points [n] of a surface with the edges between them."""
    number = np.where(chosen, np.cumsum(chosen) - 1, -1)
    edges = number[surface.edges]
    return Surface(
        points=surface.points[chosen],
        normals=surface.normals[chosen],
        colors=surface.colors[chosen],
        edges=edges[(edges >= 0).all(axis=1)],
        spacing_m=surface.spacing_m,
        sigma_m=surface.sigma_m,
    )


def components(count: int, edges: Array) -> Array:
    """Return the connected component [count] of each node."""
    ones = np.ones(len(edges), dtype=np.int8)
    graph = coo_matrix((ones, (edges[:, 0], edges[:, 1])), shape=(count, count))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)


def _no_smear(part: Part, labels: Array, low_m: float) -> Array:
    """Return bool [n]: points that are not ground smeared around a foot: low ones need their object above them."""
    flat = part.surface.points @ basis_of(part.up).T
    good = part.height_m >= low_m
    for k in range(int(labels.max(initial=-1)) + 1):
        of = np.flatnonzero(labels == k)
        low, high = of[~good[of]], of[good[of] & (part.height_m[of] < low_m + SMEAR_M)]
        if len(low) and len(high):
            gap, _ = cKDTree(flat[high]).query(flat[low])
            good[low] = gap < 0.01 + part.voxel_m
    return good
