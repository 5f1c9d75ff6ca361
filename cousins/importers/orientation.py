"""Which way the faces of a foreign mesh point: its connected parts, each made consistent and turned outwards.

A part is turned round where it encloses space behind its faces, unless that space lies inside another part: then it is
the wall of a cavity, as authored. Parts that enclose nothing, such as sheets, stay as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import breadth_first_order, connected_components

from cousins.geometry import Array
from cousins.importers.winding import winding_numbers

MIN_ENCLOSURE: Final = 0.2
"""Least mean winding number on both sides of a part's faces that counts as enclosing: 1 for a closed part, 0 for a
sheet."""
SAMPLES: Final = 96
"""Points of a part at which both sides are compared."""
OFFSET_SHARE: Final = 2e-3
"""Distance of the compared points from the face, as a share of the part's longest side."""
MIN_AREA_SHARE: Final = 5e-4
"""Parts of less area than this share of the whole stay as they are authored."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class OrientedFaces:
    """Faces of a mesh that point outwards as far as they enclose something."""

    faces: Array
    """Vertex indices, int [m, 3]."""
    turned: Array
    """Which faces point the other way than in the file, bool [m]."""
    parts: tuple[Array, ...]
    """Face indices of each connected part, the largest first."""
    cavities: frozenset[int]
    """Indices of the parts that bound a cavity of another part."""
    turned_parts: int
    """Number of parts that were turned round as a whole."""


def orient_faces(vertices: Array, faces: Array) -> OrientedFaces:
    """Return the faces [m, 3] of a mesh with vertices [n, 3], part by part turned outwards."""
    first, second, is_consistent = _adjacent_faces(faces)
    turned = _inconsistent_faces(len(faces), first, second, is_consistent)
    labels = _part_labels(len(faces), first, second)
    areas = _double_areas(vertices, faces)
    turned ^= _majority(labels, turned, areas)
    oriented = np.where(turned[:, None], faces[:, ::-1], faces)
    order = np.argsort(labels, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(labels[order])) + 1)
    parts.sort(key=lambda part: (-_longest_side(vertices, faces[part]), int(part[0])))
    is_inner = np.bincount(np.concatenate([first, second]), minlength=len(faces)) == 3
    facing = _Facing(vertices, oriented, parts)
    sizes = np.array([areas[part].sum() for part in parts])
    sizeable = np.flatnonzero(sizes >= MIN_AREA_SHARE * sizes.sum())
    if facing.points_inwards(0, is_closed=bool(is_inner[parts[0]].all())):
        facing.turn(np.arange(len(parts)))
    cavities = set()
    for index in sizeable[sizeable > 0]:
        if not facing.points_inwards(index, is_closed=bool(is_inner[parts[index]].all())):
            continue
        if facing.lies_inside(index, [other for other in range(index) if other not in cavities]):
            cavities.add(int(index))
        else:
            facing.turn(np.array([index]))
    for index in np.flatnonzero(facing.is_turned):
        oriented[parts[index]] = oriented[parts[index]][:, ::-1]
        turned[parts[index]] ^= True
    return OrientedFaces(
        faces=oriented,
        turned=turned,
        parts=tuple(parts),
        cavities=frozenset(cavities),
        turned_parts=int(facing.is_turned.sum()),
    )


class _Facing:
    """Which parts have been turned round so far."""

    def __init__(self, vertices: Array, faces: Array, parts: list[Array]) -> None:
        """Keep the parts of consistent faces [m, 3]."""
        self._vertices, self._faces, self._parts = vertices, faces, parts
        self.is_turned = np.zeros(len(parts), dtype=bool)

    def triangles(self, index: int) -> Array:
        """Return the corners of a part as it is turned now, float64 [k, 3, 3]."""
        faces = self._faces[self._parts[index]]
        return self._vertices[faces[:, ::-1] if self.is_turned[index] else faces]

    def turn(self, indices: Array) -> None:
        """Turn parts [k] round."""
        self.is_turned[indices] ^= True

    def points_inwards(self, index: int, *, is_closed: bool) -> bool:
        """Return whether a part encloses space behind its faces."""
        triangles = self.triangles(index)
        return _signed_volume(triangles) < 0.0 if is_closed else _enclosure(triangles) < -MIN_ENCLOSURE

    def lies_inside(self, index: int, larger: list[int]) -> bool:
        """Return whether most of a part lies where larger enclose space."""
        return _lies_inside(self.triangles(index), [self.triangles(other) for other in larger])


def _adjacent_faces(faces: Array) -> tuple[Array, Array, Array]:
    """Return pairs of faces that share an edge that no third face has, and whether they agree on its direction."""
    starts, ends = faces.ravel(), np.roll(faces, -1, axis=1).ravel()
    low, high = np.minimum(starts, ends).astype(np.int64), np.maximum(starts, ends).astype(np.int64)
    key = low * (int(faces.max()) + 1) + high
    order = np.argsort(key, kind="stable")
    _, begin, count = np.unique(key[order], return_index=True, return_counts=True)
    begin = begin[count == 2]
    left, right = order[begin], order[begin + 1]
    return left // 3, right // 3, starts[left] != starts[right]


def _part_labels(count: int, first: Array, second: Array) -> Array:
    graph = coo_matrix((np.ones(len(first), dtype=np.int8), (first, second)), shape=(count, count))
    return np.asarray(connected_components(graph, directed=False)[1])


def _inconsistent_faces(count: int, first: Array, second: Array, is_consistent: Array) -> Array:
    """Return which faces must be turned so that neighbours agree, along a spanning tree of each part, bool [m]."""
    if is_consistent.all():
        return np.zeros(count, dtype=bool)
    labels = _part_labels(count, first, second)
    seeds = np.unique(labels, return_index=True)[1]
    rows = np.concatenate([first, second, np.full(len(seeds), count)])
    columns = np.concatenate([second, first, seeds])
    weights = np.concatenate([is_consistent, is_consistent, np.ones(len(seeds), dtype=bool)])
    pairs, picked_rows = np.unique(rows.astype(np.int64) * (count + 1) + columns, return_index=True)
    graph = coo_matrix(
        (np.ones(len(pairs)), (rows[picked_rows], columns[picked_rows])), shape=(count + 1, count + 1)
    ).tocsr()
    _, parent = breadth_first_order(graph, count, directed=True)
    parent = parent[:count].astype(np.int64)
    edge = np.searchsorted(pairs, parent * (count + 1) + np.arange(count))
    parity = np.append(~weights[picked_rows][edge], False)
    ancestor = np.append(parent, count)
    while (ancestor != count).any():
        parity ^= parity[ancestor]
        ancestor = ancestor[ancestor]
    return parity[:count]


def _majority(labels: Array, turned: Array, areas: Array) -> Array:
    """Return which faces belong to a part of which more than half would be turned, bool [m]."""
    turned_area = np.bincount(labels, weights=np.where(turned, areas, 0.0))
    return np.asarray((turned_area > 0.5 * np.bincount(labels, weights=areas))[labels])


def _enclosure(triangles: Array) -> float:
    """Return the mean winding number on both sides of a part's own triangles [m, 3, 3]: 1 outward, -1 inside out."""
    points, normals = _samples(triangles)
    offset = OFFSET_SHARE * float(np.ptp(triangles.reshape(-1, 3), axis=0).max())
    both_sides = np.concatenate([points - offset * normals, points + offset * normals])
    return float(2.0 * winding_numbers(both_sides, triangles).mean())


def _lies_inside(triangles: Array, larger: list[Array]) -> bool:
    """Return whether most of a part [m, 3, 3] lies where larger parts [k, 3, 3] enclose space."""
    low, high = triangles.reshape(-1, 3).min(axis=0), triangles.reshape(-1, 3).max(axis=0)
    middle = 0.5 * (low + high)
    near = [
        other
        for other in larger
        if (other.reshape(-1, 3).min(axis=0) <= middle).all() and (other.reshape(-1, 3).max(axis=0) >= middle).all()
    ]
    if not near:
        return False
    points, _ = _samples(triangles)
    return float(winding_numbers(points, np.concatenate(near)).mean()) > 0.5


def _samples(triangles: Array) -> tuple[Array, Array]:
    """Return points spread by area over triangles [m, 3, 3] and their unit normals, each [n, 3]."""
    crosses = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    lengths = np.linalg.norm(crosses, axis=1)
    total = np.cumsum(lengths)
    picked = np.searchsorted(total, (np.arange(SAMPLES) + 0.5) / SAMPLES * total[-1])
    weights = np.random.default_rng(0).dirichlet((1.0, 1.0, 1.0), SAMPLES)
    points = np.einsum("nk,nkd->nd", weights, triangles[picked])
    return points, crosses[picked] / np.maximum(lengths[picked], 1e-300)[:, None]


def _signed_volume(triangles: Array) -> float:
    middle = triangles.reshape(-1, 3).mean(axis=0)
    a, b, c = (triangles[:, k] - middle for k in range(3))
    return float(np.einsum("nd,nd->", a, np.cross(b, c)) / 6.0)


def _double_areas(vertices: Array, faces: Array) -> Array:
    corners = vertices[faces]
    return np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)


def _longest_side(vertices: Array, faces: Array) -> float:
    return float(np.ptp(vertices[faces].reshape(-1, 3), axis=0).max())
