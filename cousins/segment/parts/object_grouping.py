"""Group the convex pieces of a voxel map to objects, and drop artifacts of the ground."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from cousins.geometry import Array
from cousins.segment.parts.contacts import (
    MIN_LEVEL_COS,
    StabilityModel,
    describe_map_contacts,
    find_continuations,
    find_enclosed,
    find_lids,
    members_by_label,
)
from cousins.segment.parts.part_merging import PartMergingConfig, find_part_pairs, longest_contacts
from cousins.segment.parts.stability_grouping import GroupConfig, Pieces, group_by_stability, merge_groups
from cousins.segment.structure.planes import plane_basis
from cousins.segment.surfaces.surface import Surface
from cousins.segment.view_votes import ViewVotes

MIN_OBJECT_VOXELS = 60
"""Fewest voxels of an object: a die of four voxels has about as many."""
MAX_FOOT_SHARE = 0.25
"""Largest area of a foot relative to its object."""
FOOT_CONTINUATION_M = 0.06
"""Height above smeared ground within which a foot continues upwards [m]."""
MAX_CARRIED_SHARE = 0.5
"""Share of a contact that is carried from which a piece rests there and does not hang."""
MAX_ROUNDS = 6
"""Most rounds in which pieces join their objects: each at least halves the parts."""
MAX_GHOST_HEIGHT_M = 0.1
"""Height up to which a patch with measured ground under it is a second layer of that ground [m]."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ForegroundMap:
    """Points above the planes."""

    surface: Surface
    """Points and neighbours."""
    normals: Array
    """Normal of the patch of each point, float64 [n, 3]."""
    height_m: Array
    """Height above the support below [m], float64 [n]."""
    grounded: Array
    """Points beside the ground or beside dropped points, bool [n]."""
    voxel_m: float
    """Voxel edge [m]."""
    up: Array
    """Unit vector against gravity, float64 [3]."""
    votes: ViewVotes
    """Objects of the points in views that were segmented alone."""

    def subset(self, mask: Array) -> ForegroundMap:
        """Return the points selected by a mask [n]; those beside dropped points count as beside the ground."""
        touches_ground = self.grounded | ~mask
        a, b = self.surface.edges.T
        touches_ground[a[~mask[b]]] = True
        touches_ground[b[~mask[a]]] = True
        return replace(
            self,
            surface=surface_subset(self.surface, mask),
            normals=self.normals[mask],
            height_m=self.height_m[mask],
            grounded=touches_ground[mask],
            votes=self.votes.subset(mask),
        )

    def cut_between(self, is_apart: Array, labels: Array) -> ForegroundMap:
        """Return the map without edges between groups that are apart, bool [k, k], by the `labels` [n] of points."""
        a, b = labels[self.surface.edges].T
        return replace(self, surface=replace(self.surface, edges=self.surface.edges[~is_apart[a, b]]))

    def describe_pieces(self, labels: Array) -> tuple[Pieces, StabilityModel]:
        """Return contacts and supports for these labels [n]."""
        return describe_map_contacts(
            self.surface, labels, self.normals, self.height_m, voxel_m=self.voxel_m, up=self.up
        )


def group_objects(
    foreground: ForegroundMap, labels: Array, merging: PartMergingConfig, group: GroupConfig, *, low_m: float
) -> Array:
    """Return the object of each point [n] from its convex piece `labels` [n]; -1 for fragments too small to be one.

    Low pieces of taller groups may be ground smeared around feet, which would look like shelves: they join last.
    """
    is_low = _low_piece_points(foreground, labels, low_m)
    upper = foreground.subset(~is_low)
    upper_labels = np.full(len(labels), -1, dtype=np.int64)
    upper_pieces = np.unique(labels[~is_low], return_inverse=True)[1].ravel()
    upper_labels[~is_low] = _group_pieces(upper, upper_pieces, merging, group)
    first_object = int(labels.max()) + 1
    merged = np.where(upper_labels >= 0, upper_labels + first_object, labels)
    for _ in range(MAX_ROUNDS):
        joins = [
            (contact.first, contact.second)
            for contact in longest_contacts(foreground.surface, merged)
            if contact.first < first_object
        ]
        upward = {piece: object_label for piece, object_label in joins if object_label >= first_object}
        if not upward:
            break
        merged = np.array([upward.get(k, k) for k in range(int(merged.max()) + 1)])[merged]
    is_large = np.bincount(merged) * foreground.voxel_m**2 >= group.min_area_m2
    return np.where(is_large[merged], np.cumsum(is_large)[merged] - 1, -1)


def _low_piece_points(foreground: ForegroundMap, labels: Array, low_m: float) -> Array:
    """Return bool [n]: points of pieces no higher than smeared ground that are a small part of their group."""
    group = connected_labels(len(labels), foreground.surface.edges)
    sizes = np.bincount(group)
    is_low = np.zeros(len(labels), dtype=bool)
    for members in members_by_label(labels):
        is_small = len(members) < MAX_FOOT_SHARE * sizes[group[members[0]]]
        is_low[members] = is_small and float(np.quantile(foreground.height_m[members], 0.95)) < low_m
    return is_low


def _group_pieces(foreground: ForegroundMap, labels: Array, merging: PartMergingConfig, group: GroupConfig) -> Array:
    """Return the object of each point by contacts and stability; -1 for fragments too small to be one."""
    pieces, _ = foreground.describe_pieces(labels)
    labels = _merge_enclosed(foreground, labels, pieces)
    for _ in range(MAX_ROUNDS):
        pieces, _ = foreground.describe_pieces(labels)
        ends = frozenset(find_continuations(foreground.surface, labels, foreground.height_m, pieces, up=foreground.up))
        pairs = find_lids(foreground.surface, labels, pieces, up=foreground.up)
        pairs += find_part_pairs(
            foreground.surface,
            labels,
            foreground.normals,
            pieces,
            grounded=foreground.grounded,
            ends=ends,
            up=foreground.up,
            config=merging,
        )
        is_apart = foreground.votes.are_apart(labels)
        pairs = [pair for pair in pairs if not is_apart[pair] or _hangs_on(pieces, *pair)]
        if not pairs:
            break
        labels = _merge_labels(labels, pairs)
        pieces, _ = foreground.describe_pieces(labels)
        labels = _merge_enclosed(foreground, labels, pieces)
    foreground = foreground.cut_between(foreground.votes.are_apart(labels), labels)
    pieces, stability = foreground.describe_pieces(labels)
    without_support = replace(pieces, carried=np.zeros_like(pieces.carried))
    object_of_piece, keep_mask = group_by_stability(without_support, config=group, is_stable=stability.is_stable)
    return np.where(keep_mask, np.cumsum(keep_mask) - 1, -1)[object_of_piece[labels]]


def _hangs_on(pieces: Pieces, part: int, parent: int) -> bool:
    """Return whether nothing else holds a piece up, and it does not rest there: by itself it would fall."""
    touching = pieces.touching[part]
    is_held_elsewhere = pieces.grounded[part] or pieces.hidden[part] or np.count_nonzero(touching) > 1
    return not is_held_elsewhere and bool(pieces.carried[part, parent] < MAX_CARRIED_SHARE * touching[parent])


def _merge_enclosed(foreground: ForegroundMap, labels: Array, pieces: Pieces) -> Array:
    """Return the labels [n] with pieces joined that lie within the hull of another."""
    points, normals = foreground.surface.points, foreground.normals
    is_apart = foreground.votes.are_apart(labels)
    pairs = find_enclosed(points, normals, labels, pieces, voxel_m=foreground.voxel_m)
    return _merge_labels(labels, [pair for pair in pairs if not is_apart[pair]])


def _merge_labels(labels: Array, pairs: list[tuple[int, int]]) -> Array:
    groups = np.asarray(merge_groups(list(range(int(labels.max()) + 1)), pairs))
    return np.unique(groups, return_inverse=True)[1].ravel()[labels]


def ground_smear_height_m(noise_m: float, voxel_m: float) -> float:
    """Return the height up to which ground smears around a foot [m]: its noise, or the spread of two depth pixels."""
    return max(4.0 * noise_m, 2.5 * voxel_m)


def drop_ground_artifacts(foreground: ForegroundMap, labels: Array, ground: Array, noise_m: float) -> Array:
    """Return the labels [n] without objects that are ground.

    An object is ground if it lies within its noise or is a second layer of it; ground smeared around feet is removed
    too. `ground` [g, 3] are the points of the ground [m].
    """
    low_m = ground_smear_height_m(noise_m, foreground.voxel_m)
    flat = foreground.surface.points @ plane_basis(foreground.up).T
    ground_distance, _ = (
        cKDTree(ground @ plane_basis(foreground.up).T).query(flat) if len(ground) else (np.full(len(flat), np.inf), 0)
    )
    is_real = []
    for members in (np.flatnonzero(labels == k) for k in range(int(labels.max()) + 1)):
        top = float(np.quantile(foreground.height_m[members], 0.95))
        flat_share = float((foreground.normals[members] @ foreground.up > MIN_LEVEL_COS).mean())
        is_second_layer = (
            top < MAX_GHOST_HEIGHT_M
            and flat_share > 0.8
            and float((ground_distance[members] < foreground.voxel_m).mean()) > 0.5
        )
        typical_top_m = _median_top_m(flat[members], foreground.height_m[members], foreground.voxel_m)
        is_second_layer &= typical_top_m < low_m
        is_real.append(
            top > low_m
            and typical_top_m > 2.0 * foreground.voxel_m
            and not is_second_layer
            and len(members) >= MIN_OBJECT_VOXELS
        )
    new_labels = np.where(is_real, np.cumsum(is_real) - 1, -1)
    labels = np.where(labels >= 0, new_labels[labels], -1)
    return np.where(_is_not_smeared(foreground, labels, low_m), labels, -1)


def _median_top_m(flat: Array, height_m: Array, voxel_m: float) -> float:
    """Return the median over a footprint [n, 2] of an object's top height [m], on cells of two voxels."""
    cells = np.unique(np.floor(flat / (2.0 * voxel_m)), axis=0, return_inverse=True)[1].ravel()
    tops = np.full(int(cells.max(initial=-1)) + 1, -np.inf)
    np.maximum.at(tops, cells, height_m)
    return float(np.median(tops)) if len(tops) else 0.0


def surface_subset(surface: Surface, mask: Array) -> Surface:
    """Return the points of a surface selected by a mask [n], with the edges between them."""
    new_index = np.where(mask, np.cumsum(mask) - 1, -1)
    edges = new_index[surface.edges]
    return Surface(
        points=surface.points[mask],
        normals=surface.normals[mask],
        colors=surface.colors[mask],
        edges=edges[(edges >= 0).all(axis=1)],
        spacing_m=surface.spacing_m,
        sigma_m=surface.sigma_m,
    )


def connected_labels(count: int, edges: Array) -> Array:
    """Return the connected component of each node, int64 [count], from edges [m, 2]."""
    weights = np.ones(len(edges), dtype=np.int8)
    graph = coo_matrix((weights, (edges[:, 0], edges[:, 1])), shape=(count, count))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)


def _is_not_smeared(foreground: ForegroundMap, labels: Array, low_m: float) -> Array:
    """Return bool [n]: points that are not ground smeared around a foot; low points need their object above them."""
    flat = foreground.surface.points @ plane_basis(foreground.up).T
    keep_mask = foreground.height_m >= low_m
    for k in range(int(labels.max(initial=-1)) + 1):
        members = np.flatnonzero(labels == k)
        low, high = (
            members[~keep_mask[members]],
            members[keep_mask[members] & (foreground.height_m[members] < low_m + FOOT_CONTINUATION_M)],
        )
        if len(low) and len(high):
            distance, _ = cKDTree(flat[high]).query(flat[low])
            keep_mask[low] = distance < 0.01 + foreground.voxel_m
    return keep_mask
