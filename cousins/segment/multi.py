"""Many views to objects in space: one oriented voxel map, planes out, convex pieces, then what can stand alone."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from cousins.capture.captures import Capture
from cousins.geometry import Array
from cousins.segment.belonging import contacts_of, parts
from cousins.segment.contacts import LEVEL_COS, Footing, capped, continued, describe_map, enclosed, members_of
from cousins.segment.ground import ground
from cousins.segment.grouping import GroupConfig, Pieces, settle, union
from cousins.segment.patches import PatchConfig, join, make_patches
from cousins.segment.planes import Structure, basis_of, heights, inside_outline
from cousins.segment.surfaces import Surface, drawn_together
from cousins.segment.views import level_offsets
from cousins.segment.voxels import VoxelConfig, VoxelMap, gather

MIN_VOXELS = 60
"""Least voxels of an object: a die of four voxels has about as many."""
FOOT = 0.25
"""Greatest area of a foot beside its thing."""
SMEAR_M = 0.06
"""Height over smeared ground within which a foot goes on upwards [m]."""
ROUNDS = 6
"""Most rounds in which pieces join their things: each halves the parts at least."""
RING_M = 0.04
"""Height below which a closed wall makes what it encloses the bottom of a hollow thing [m]."""
GHOST_M = 0.1
"""Height up to which a patch with ground seen under it is taken for a second layer of that ground [m]."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Instances:
    """Objects in space."""

    points: Array
    """Points of the map that belong to an object, world [m], float64 [n, 3]."""
    normals: Array
    """Their unit normals, float64 [n, 3]."""
    labels: Array
    """Object of each point, int64 [n]."""
    heights: Array
    """Height of each point above its support [m], float64 [n]."""
    voxel_m: float
    """Distance between neighbouring points [m]."""
    rest: Array
    """All other points of the map: planes and what was dropped, world [m], float64 [r, 3]."""
    dropped: tuple[str, ...] = ()
    """What was left out and why, a sentence each."""


def find_instances(
    capture: Capture, structure: Structure, *, voxel: VoxelConfig, patch: PatchConfig, group: GroupConfig
) -> Instances:
    """Tell the objects of a capture apart in space."""
    scene = gather(capture, config=voxel)
    above, height, noise = _above(scene, structure)
    scene = _bridged(scene, above & (height > max(RING_M, 4.0 * noise)))
    above &= _without_specks(scene, above, max(group.min_area_m2, MIN_VOXELS * scene.voxel_m**2))
    all_height, surface, height = height, _part(scene.surface, above), height[above]
    labels, normals = _pieces(surface, patch, scene.voxel_m)
    if len(labels):
        part = Part(
            surface=surface,
            normals=normals,
            height_m=height,
            grounded=_beside(scene.surface.edges, above),
            voxel_m=scene.voxel_m,
            up=structure.up,
        )
        labels = _objects(part, labels, group, low_m=_smear_m(noise, scene.voxel_m) + scene.voxel_m)
        ground = scene.surface.points[~above]
        labels, dropped = _keep_real(part, labels, ground, noise)
    else:
        dropped = ()
    all_labels = np.full(len(above), -1, dtype=np.int64)
    all_labels[above] = labels
    all_normals = scene.surface.normals.copy()
    all_normals[above] = normals
    all_labels = _with_bottoms(scene, all_labels, all_height, structure.up)
    good = all_labels >= 0
    return Instances(
        points=scene.surface.points[good],
        normals=all_normals[good],
        labels=all_labels[good],
        heights=all_height[good],
        voxel_m=scene.voxel_m,
        rest=scene.surface.points[~good],
        dropped=dropped,
    )


def _bridged(scene: VoxelMap, above: Array) -> VoxelMap:
    """Return the map with links from small groups over gaps of three voxels: thin dark legs are seen in bits."""
    part = _part(scene.surface, above)
    group = components(len(part.points), part.edges)
    small = np.flatnonzero(np.bincount(group, minlength=1)[group] < MIN_VOXELS)
    if len(small) == 0:
        return scene
    gap, near = cKDTree(part.points).query(part.points[small], k=min(12, len(part.points)))
    other = (gap < 3.0 * scene.voxel_m) & (group[near] != group[small][:, None])
    first = np.argmax(other, axis=1)
    found = np.flatnonzero(other.any(axis=1))
    here, there = small[found], near[found, first[found]]
    outer = np.flatnonzero(above)
    links = np.stack([outer[here], outer[there]], axis=1)
    return replace(scene, surface=replace(scene.surface, edges=np.concatenate([scene.surface.edges, links])))


def _with_bottoms(scene: VoxelMap, labels: Array, height_m: Array, up: Array) -> Array:
    """Give each object the ground points that its foot encloses: the bottom of a bowl or mug seen from above."""
    count = int(labels.max(initial=-1)) + 1
    if count == 0:
        return labels
    flat = scene.surface.points @ basis_of(up).T
    cells = np.floor((flat - flat.min(axis=0)) / scene.voxel_m).astype(np.int64)
    out = labels.copy()
    for k in range(count):
        foot = cells[(labels == k) & (height_m < RING_M)]
        if len(foot) == 0:
            continue
        low = foot.min(axis=0) - 2
        ring = np.zeros(foot.max(axis=0) - low + 3, dtype=bool)
        ring[tuple((foot - low).T)] = True
        hole = ndimage.binary_erosion(ndimage.binary_fill_holes(ndimage.binary_dilation(ring)), iterations=2)
        at = cells - low
        inside = ((at >= 0) & (at < hole.shape)).all(axis=1) & (labels < 0)
        inside &= (height_m < RING_M) & (height_m > -0.5 * scene.voxel_m)
        rows = np.flatnonzero(inside)
        out[rows[hole[tuple(at[rows].T)]]] = k
    return out


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
            surface=_part(self.surface, chosen),
            normals=self.normals[chosen],
            height_m=self.height_m[chosen],
            grounded=beside[chosen],
        )

    def describe(self, labels: Array) -> tuple[Pieces, Footing]:
        """Return contacts and supports for these labels [n]."""
        return describe_map(self.surface, labels, self.normals, self.height_m, voxel_m=self.voxel_m, up=self.up)


def _objects(part: Part, labels: Array, group: GroupConfig, *, low_m: float) -> Array:
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


def _smear_m(noise_m: float, voxel_m: float) -> float:
    """Return the height up to which ground smears about a foot [m]: its noise, or the spread of two depth pixels."""
    return max(4.0 * noise_m, 2.5 * voxel_m)


def _keep_real(part: Part, labels: Array, ground: Array, noise_m: float) -> tuple[Array, tuple[str, ...]]:
    """Drop what is ground in disguise: in its noise, or a second layer of it; and ground smeared around feet."""
    low_m = _smear_m(noise_m, part.voxel_m)
    flat = part.surface.points @ basis_of(part.up).T
    beneath, _ = cKDTree(ground @ basis_of(part.up).T).query(flat) if len(ground) else (np.full(len(flat), np.inf), 0)
    real, ghosts = [], 0
    for of in (np.flatnonzero(labels == k) for k in range(int(labels.max()) + 1)):
        top = float(np.quantile(part.height_m[of], 0.95))
        flat_share = float((part.normals[of] @ part.up > LEVEL_COS).mean())
        layered = top < GHOST_M and flat_share > 0.8 and float((beneath[of] < part.voxel_m).mean()) > 0.5
        real.append(top > low_m and not layered and len(of) >= MIN_VOXELS)
        ghosts += not real[-1]
    kept = np.where(real, np.cumsum(real) - 1, -1)
    labels = np.where(labels >= 0, kept[labels], -1)
    labels = np.where(_no_smear(part, labels, low_m), labels, -1)
    message = f"{ghosts} low patches were taken for ground: they lie within its noise or the ground shows under them"
    return labels, (message,) if ghosts else ()


def _above(scene: VoxelMap, structure: Structure) -> tuple[Array, Array, float]:
    """Return which points [n] are of no plane, heights [n] above the highest support below, and their noise [m]."""
    points, normals = scene.surface.points, scene.surface.normals
    above = np.ones(len(points), dtype=bool)
    height = np.full(len(points), np.inf)
    noise = 0.001
    for fitted in structure.planes:
        if fitted.plane.kind == "wall":
            over = heights(fitted, points)
            gate = max(0.02, 3.0 * fitted.scatter_m)
            above &= ~((over < gate) & inside_outline(fitted.plane, points, margin_m=0.03))
            continue
        over = heights(fitted, points) - level_offsets(fitted, points, normals)
        over = over - ground(points, normals, over, fitted, cell_m=3.0 * scene.voxel_m)
        within = inside_outline(fitted.plane, points, margin_m=0.2)
        own = within & (np.abs(over) < 0.03) & (normals @ fitted.plane.normal > np.cos(np.deg2rad(25.0)))
        local = 1.4826 * float(np.median(np.abs(over[own]))) if own.any() else 0.002
        noise = max(noise, local)
        above &= ~((over < np.clip(3.0 * local, 0.004, 0.012)) & within)
        height = np.where(within & (over > -0.02), np.minimum(height, over), height)
    lowest = points @ structure.up - float((points @ structure.up).min(initial=0.0))
    return above, np.where(np.isfinite(height), height, lowest), noise


def _part(surface: Surface, chosen: Array) -> Surface:
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


def _beside(edges: Array, above: Array) -> Array:
    """Return for each point above the ground whether it touches one that is not, bool [count of above]."""
    touched = np.zeros(len(above), dtype=bool)
    touched[edges[above[edges].sum(axis=1) == 1].ravel()] = True
    return touched[above]


def _without_specks(scene: VoxelMap, above: Array, min_area_m2: float) -> Array:
    """Return bool [n]: points in connected groups that are large enough to be an object."""
    surface = _part(scene.surface, above)
    group = components(len(surface.points), surface.edges)
    large = np.bincount(group, minlength=1) * scene.voxel_m**2 >= min_area_m2
    kept = np.zeros(len(above), dtype=bool)
    kept[np.flatnonzero(above)[large[group]]] = True
    return kept


def components(count: int, edges: Array) -> Array:
    """Return the connected component [count] of each node."""
    ones = np.ones(len(edges), dtype=np.int8)
    graph = coo_matrix((ones, (edges[:, 0], edges[:, 1])), shape=(count, count))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)


def _pieces(surface: Surface, patch: PatchConfig, voxel_m: float) -> tuple[Array, Array]:
    """Return the convex piece of each point and the normal of its patch."""
    if len(surface.points) == 0:
        return np.zeros(0, dtype=np.int64), np.zeros((0, 3))
    sized = PatchConfig(
        size_m=max(patch.size_m, 3.0 * voxel_m),
        smooth_deg=patch.smooth_deg,
        crease_deg=patch.crease_deg,
        repulsion=patch.repulsion,
        color_step=patch.color_step,
    )
    patches = make_patches(drawn_together(surface, steps=3), config=sized)
    piece = join(len(patches.centers), patches.pairs, patches.evidence)
    return piece[patches.of_point], patches.normals[patches.of_point]


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
