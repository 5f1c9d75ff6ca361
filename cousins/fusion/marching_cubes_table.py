"""Marching cubes table: the triangles of the 256 ways in which a surface can cut a cube, derived and not copied.

Corner c of a cube sits at (c & 1, c >> 1 & 1, c >> 2). On each face the crossed edges are joined in pairs
so that inside corners (negative distance) that touch only diagonally stay apart; the rule looks at one face
alone, so both cubes that share a face agree and the surface closes. The joined edges form loops, and each
loop is cut into triangles without a diagonal inside a face (which the neighbour might use as well).
"""

from __future__ import annotations

import itertools

import numpy as np

from cousins.geometry import Array

CORNERS = np.array([[c & 1, c >> 1 & 1, c >> 2] for c in range(8)])
"""Corner offsets [8, 3]."""
EDGES = np.array([(a, a | 1 << axis) for axis in range(3) for a in range(8) if not a >> axis & 1])
"""Corner pairs [12, 2], lower corner first; edges 4·axis to 4·axis + 3 run along that axis."""
_EDGE_OF = {frozenset(edge): number for number, edge in enumerate(EDGES.tolist())}


def _face_corners(axis: int, side: int) -> list[int]:
    """Return the corners of a face, counter-clockwise seen from outside the cube."""
    first, second = (axis + 1) % 3, (axis + 2) % 3
    ring = [(0, 0), (1, 0), (1, 1), (0, 1)] if side else [(0, 0), (0, 1), (1, 1), (1, 0)]
    return [side << axis | a << first | b << second for a, b in ring]


def _face_segments(case: int) -> dict[int, int]:
    """Return by crossed edge the next one around the surface's loops."""
    following = {}
    for axis, side in itertools.product(range(3), range(2)):
        ring = _face_corners(axis, side)
        inside = [case >> corner & 1 for corner in ring]
        for side_index in range(4):
            if inside[side_index] or not inside[(side_index + 1) % 4]:
                continue
            # The ring enters the inside here; the same inside run is left at the next outside corner.
            leave = side_index + 1
            while inside[(leave + 1) % 4]:
                leave += 1
            enter_edge = _EDGE_OF[frozenset((ring[side_index], ring[(side_index + 1) % 4]))]
            leave_edge = _EDGE_OF[frozenset((ring[leave % 4], ring[(leave + 1) % 4]))]
            following[enter_edge] = leave_edge
    return following


def _loops(case: int) -> list[list[int]]:
    """Return the closed loops of crossed edges."""
    following, loops = _face_segments(case), []
    while following:
        loop = [min(following)]
        while (edge := following.pop(loop[-1])) != loop[0]:
            loop.append(edge)
        loops.append(loop)
    return loops


def _share_a_face(a: int, b: int) -> bool:
    """Return whether two edges lie in one face of the cube."""
    corners = CORNERS[np.concatenate([EDGES[a], EDGES[b]])]
    return bool((corners == corners[0]).all(axis=0).any())


def _triangulations(loop: list[int]) -> itertools.chain[list[tuple[int, int, int]]]:
    """Yield all ways to cut a loop into triangles."""

    def cut(start: int, stop: int) -> list[list[tuple[int, int, int]]]:
        if stop - start < 2:
            return [[]]
        return [
            [(loop[start], loop[middle], loop[stop]), *left, *right]
            for middle in range(start + 1, stop)
            for left in cut(start, middle)
            for right in cut(middle, stop)
        ]

    return itertools.chain(cut(0, len(loop) - 1))


def _faults(loop: list[int], triangles: list[tuple[int, int, int]]) -> int:
    """Count the diagonals that lie inside a face."""
    sides = {frozenset(pair) for pair in zip(loop, loop[1:] + loop[:1], strict=True)}
    drawn = {frozenset(pair) for a, b, c in triangles for pair in ((a, b), (b, c), (c, a))}
    return sum(_share_a_face(*diagonal) for diagonal in drawn - sides)


def _table() -> Array:
    """Return by case up to five triangles of edge numbers, -1 where there is none, int8 [256, 5, 3]."""
    table = np.full((256, 5, 3), -1, dtype=np.int8)
    for case in range(256):
        triangles = []
        for loop in _loops(case):
            triangles += min(_triangulations(loop), key=lambda cut, loop=loop: _faults(loop, cut))  # type: ignore[misc]
        table[case, : len(triangles)] = np.array(triangles, dtype=np.int8).reshape(-1, 3)
    return table


TRIANGLES = _table()
"""By case (bit c set: corner c is inside) the triangles as edge numbers, int8 [256, 5, 3]."""
