"""Cut a surface into convex parts: small patches, signed evidence between neighbours, greedy joining.

Neighbouring patches are evidence for one object where they meet convexly or in line, and against it where they meet in
a concave crease or at a step, in proportion to the length of the boundary they share. Patches are
then joined greedily by the sum of that evidence, the strongest pair first (greedy additive edge contraction of
correlation clustering, Keuper et al., "Efficient Decomposition of Image and Mesh Graphs by Lifted Multicuts",
2015). Convexity of adjacent patches follows Stein et al., "Object Partitioning using Local Convexity", 2014.
A short leak at the end of a crease is thereby outvoted by the rest of the crease.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np
from numba import njit

from cousins.geometry import Array
from cousins.segment.surfaces.surface import Surface, smallest_axis

OPPOSITE_FACES_DEG = 110.0
"""Bend from which two patches are the two sides of a wall or of a gap [degree]."""


@dataclass(frozen=True, kw_only=True)
class PatchConfig:
    """Size of patches and evidence of the boundary between two of them."""

    size_m: float = 0.012
    """Distance between patch centres [m]."""
    smooth_deg: float = 12.0
    """A concave bend below this angle is within the error of the patch normals."""
    crease_deg: float = 35.0
    """A concave bend from this angle on is full evidence against one object."""
    repulsion: float = 2.0
    """Weight of a full crease beside a convex boundary of the same length."""
    color_step: float = 25.0
    """Difference of Lab colour across a flat boundary that takes away half of its evidence for one object."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Patches:
    """Patches of a surface with the evidence for joining neighbours."""

    patch_of_point: Array
    """Patch of each point, int64 [n]; every point has one."""
    centers: Array
    """Mean of the points of each patch [m], float64 [k, 3]."""
    normals: Array
    """Unit normal of the plane through each patch, float64 [k, 3]."""
    counts: Array
    """Points of each patch, int64 [k]."""
    pairs: Array
    """Neighbouring patches, int64 [m, 2], first < second."""
    lengths: Array
    """Boundary of each pair [m], float64 [m]."""
    bends_deg: Array
    """Bend between each pair [deg]: positive convex, negative concave; float64 [m]."""
    steps_m: Array
    """Mean step across the boundary of each pair along the normals [m], float64 [m]."""
    evidence: Array
    """Signed evidence that a pair is one object [m], float64 [m]."""


def make_patches(surface: Surface, *, config: PatchConfig) -> Patches:
    """Return patches that cover a surface, with the evidence of the boundaries between them."""
    starts, neighbours, gaps = _neighbour_graph(surface)
    of_point = np.zeros(len(surface.points), dtype=np.int64)
    seeds = _grid_seeds(surface.points, config.size_m)
    for _ in range(3):
        of_point = _grow_patches(surface.points, surface.normals, starts, neighbours, gaps, seeds, config.size_m)
        of_point = _number_unreached(of_point, starts, neighbours)
        centers, _, _ = _patch_geometry(surface, of_point)
        seeds = _nearest_members(surface.points, of_point, centers)
    centers, normals, counts = _patch_geometry(surface, of_point)
    pairs, lengths, steps, color_steps = _boundaries(surface, of_point)
    bends = bend_angles_deg(centers, normals, pairs)
    bends = _sign_thin_wall_bends(surface, of_point, bends, normals, pairs)
    evidence = _boundary_evidence(bends, lengths, steps, color_steps, sigma_m=surface.sigma_m, config=config)
    return Patches(
        patch_of_point=of_point,
        centers=centers,
        normals=normals,
        counts=counts,
        pairs=pairs,
        lengths=lengths,
        bends_deg=bends,
        steps_m=steps,
        evidence=evidence,
    )


def _neighbour_graph(surface: Surface) -> tuple[Array, Array, Array]:
    """Return the compressed rows of the symmetric neighbour graph: starts [n + 1], others, distances [m]."""
    count = len(surface.points)
    both = np.concatenate([surface.edges, surface.edges[:, ::-1]])
    order = np.lexsort((both[:, 1], both[:, 0]))
    both = both[order]
    gaps = np.linalg.norm(surface.points[both[:, 0]] - surface.points[both[:, 1]], axis=1)
    starts = np.searchsorted(both[:, 0], np.arange(count + 1))
    return starts, np.ascontiguousarray(both[:, 1]), gaps


def _grid_seeds(points: Array, size_m: float) -> Array:
    cells = np.floor((points - points.min(axis=0)) / size_m).astype(np.int64)
    _, inverse = np.unique(cells, axis=0, return_inverse=True)
    inverse = inverse.ravel()
    return _nearest_members(points, inverse, _group_means(points, inverse))


def _group_means(values: Array, groups: Array) -> Array:
    counts = np.bincount(groups)
    sums = [np.bincount(groups, weights=values[:, k]) for k in range(values.shape[1])]
    return np.stack(sums, axis=1) / counts[:, None]


def _nearest_members(points: Array, groups: Array, centers: Array) -> Array:
    """Return for each group the index of its point nearest its centre; ties go to the lower index."""
    distance = np.linalg.norm(points - centers[groups], axis=1)
    order = np.lexsort((np.arange(len(points)), distance, groups))
    _, first = np.unique(groups[order], return_index=True)
    return np.asarray(order[first])


@njit(cache=True)
def _grow_patches(points, normals, starts, neighbours, gaps, seeds, size):  # type: ignore[no-untyped-def]
    """Grow all seeds at once along the neighbour graph; turning away from the seed's normal costs distance."""
    count = points.shape[0]
    of_point = np.full(count, -1, np.int64)
    path = np.full(count, np.inf)
    queue = [(0.0, 0, 0)]
    queue.clear()
    for k in range(seeds.size):
        path[seeds[k]] = 0.0
        heapq.heappush(queue, (0.0, k, seeds[k]))
    while len(queue) > 0:
        cost, k, u = heapq.heappop(queue)
        if of_point[u] >= 0:
            continue
        of_point[u] = k
        seed = seeds[k]
        for e in range(starts[u], starts[u + 1]):
            v = neighbours[e]
            if of_point[v] >= 0:
                continue
            dot = 0.0
            for axis in range(3):
                dot += normals[seed, axis] * normals[v, axis]
            total = cost + gaps[e] / size * (1.0 + 4.0 * (1.0 - dot))
            if total < path[v]:
                path[v] = total
                heapq.heappush(queue, (total, k, v))
    return of_point


def _number_unreached(of_point: Array, starts: Array, neighbours: Array) -> Array:
    """Give every connected region that no seed reached its own patch, and number patches without gaps."""
    unreached = np.flatnonzero(of_point < 0)
    new_patch = int(of_point.max()) + 1 if len(of_point) else 0
    for u in unreached:
        if of_point[u] >= 0:
            continue
        of_point[u], stack = new_patch, [int(u)]
        while stack:
            point = stack.pop()
            for v in neighbours[starts[point] : starts[point + 1]]:
                if of_point[v] < 0:
                    of_point[v] = new_patch
                    stack.append(int(v))
        new_patch += 1
    return np.asarray(np.unique(of_point, return_inverse=True)[1].ravel())


def _patch_geometry(surface: Surface, of_point: Array) -> tuple[Array, Array, Array]:
    """Return centre, normal and size of each patch; the normal is fitted and faces as its points do."""
    counts = np.bincount(of_point)
    centers = _group_means(surface.points, of_point)
    rest = surface.points - centers[of_point]
    products = np.stack([rest[:, i] * rest[:, j] for i, j in ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))], axis=1)
    moments = _group_means(products, of_point)
    mean = _group_means(surface.normals, of_point)
    mean /= np.maximum(np.linalg.norm(mean, axis=1, keepdims=True), 1e-9)
    fitted = _fit_normals(moments)
    facing = np.einsum("ij,ij->i", fitted, mean)
    fitted *= np.where(facing < 0.0, -1.0, 1.0)[:, None]
    trusted = (counts >= 8) & (np.abs(facing) > 0.85)
    return centers, np.where(trusted[:, None], fitted, mean), counts


@njit(cache=True)
def _fit_normals(moments):  # type: ignore[no-untyped-def]
    out = np.zeros((moments.shape[0], 3))
    for k in range(moments.shape[0]):
        out[k, 0], out[k, 1], out[k, 2] = smallest_axis(moments[k])
    return out


def _boundaries(surface: Surface, of_point: Array) -> tuple[Array, Array, Array, Array]:
    """Return pairs, boundary lengths [m], mean steps [m] and mean Lab differences of neighbouring patches."""
    u, v = surface.edges[:, 0], surface.edges[:, 1]
    a, b = of_point[u], of_point[v]
    cross = a != b
    u, v, a, b = u[cross], v[cross], a[cross], b[cross]
    pairs, inverse, counts = np.unique(
        np.stack([np.minimum(a, b), np.maximum(a, b)], axis=1), axis=0, return_inverse=True, return_counts=True
    )
    inverse = inverse.ravel()
    gap = surface.points[u] - surface.points[v]
    along = np.minimum(
        np.abs(np.einsum("ij,ij->i", gap, surface.normals[u])), np.abs(np.einsum("ij,ij->i", gap, surface.normals[v]))
    )
    tint = np.nan_to_num(np.linalg.norm(surface.colors[u] - surface.colors[v], axis=1))
    steps = np.bincount(inverse, weights=along, minlength=len(pairs)) / np.maximum(counts, 1)
    tints = np.bincount(inverse, weights=tint, minlength=len(pairs)) / np.maximum(counts, 1)
    return pairs.reshape(-1, 2), counts * surface.spacing_m, steps, tints


def bend_angles_deg(centers: Array, normals: Array, pairs: Array) -> Array:
    """Return the bends [m] between pairs [m, 2] of patches, positive convex and negative concave [degree]."""
    a, b = pairs[:, 0], pairs[:, 1]
    across = centers[a] - centers[b]
    across /= np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-9)
    cosine = np.clip(np.einsum("ij,ij->i", normals[a], normals[b]), -1.0, 1.0)
    side = np.einsum("ij,ij->i", normals[a] - normals[b], across)
    return np.asarray(np.degrees(np.arccos(cosine)) * np.where(side < 0.0, -1.0, 1.0))


def _sign_thin_wall_bends(surface: Surface, of_point: Array, bends_deg: Array, normals: Array, pairs: Array) -> Array:
    """Return the bends [deg] with those between opposite faces signed by their points instead of their centres.

    Both sides of a thin wall have nearly the same centre, and a range bias may even exchange them; they are convex
    unless their points are apart by more than half a step between neighbours.
    """
    apart = np.abs(bends_deg) > OPPOSITE_FACES_DEG
    if not apart.any():
        return bends_deg
    u, v = surface.edges[:, 0], surface.edges[:, 1]
    a, b = of_point[u], of_point[v]
    u, v = np.where(a < b, u, v), np.where(a < b, v, u)
    a, b = np.minimum(a, b), np.maximum(a, b)
    count = len(normals)
    place = np.searchsorted(pairs[:, 0] * count + pairs[:, 1], (a * count + b)[a != b])
    gap = surface.points[u[a != b]] - surface.points[v[a != b]]
    turn = (normals[a] - normals[b])[a != b]
    turn /= np.maximum(np.linalg.norm(turn, axis=1, keepdims=True), 1e-9)
    side = np.bincount(place, weights=np.einsum("ij,ij->i", gap, turn), minlength=len(pairs))
    gaping = side < -1.5 * surface.spacing_m * np.bincount(place, minlength=len(pairs))
    return np.where(apart, np.abs(bends_deg) * np.where(gaping, -1.0, 1.0), bends_deg)


def _boundary_evidence(
    bends_deg: Array, lengths: Array, steps_m: Array, color_steps: Array, *, sigma_m: float, config: PatchConfig
) -> Array:
    """Return the evidence of boundaries: +1 per metre convex or flat, down to -`repulsion` at a full crease or step."""
    crease = np.clip((-bends_deg - config.smooth_deg) / (config.crease_deg - config.smooth_deg), 0.0, 1.0)
    step = np.clip((steps_m - 3.0 * sigma_m) / (3.0 * sigma_m), 0.0, 1.0)
    against = np.maximum(crease, step)
    flat = 1.0 / (1.0 + (color_steps / config.color_step) ** 2)
    favour = np.where(np.abs(bends_deg) < config.smooth_deg, 0.5 + 0.5 * flat, 1.0)
    return np.asarray(lengths * ((1.0 - against) * favour - against * config.repulsion))
