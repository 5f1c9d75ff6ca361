"""From convex pieces to objects, by what can rest where it is.

A piece is an object of its own when it stands on a plane, is carried from below by another piece, or when
what is below it cannot be seen. A piece that would hang in the air belongs to the neighbour it touches most
(mug handles, chair arms). Small rests follow the neighbour they touch most or are dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from cousins.geometry import Array


@dataclass(frozen=True, kw_only=True)
class GroupConfig:
    """What may stand alone."""

    min_area_m2: float = 0.0006
    """Visible surface below which a piece is a rest of its neighbour [m²]: 2.5 cm square."""
    min_share: float = 0.06
    """Visible surface below which a piece is a rest, relative to a neighbour it touches."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Pieces:
    """What is known of the pieces of one surface."""

    areas: Array
    """Visible surface of each [m²], float64 [k]."""
    grounded: Array
    """Stands on a plane, bool [k]."""
    hidden: Array
    """Its lower end is hidden from view, bool [k]."""
    touching: Array
    """Length of contact between two pieces [m], float64 [k, k], symmetric."""
    carried: Array
    """Length of contact at which the first is carried from below by the second [m], float64 [k, k]."""


def union(parent: Sequence[int], pairs: Sequence[tuple[int, int]]) -> list[int]:
    """Return group numbers after joining pairs; a group is named by its lowest member."""
    root = list(parent)

    def find(a: int) -> int:
        while root[a] != a:
            a = root[a]
        return a

    for a, b in pairs:
        low, high = sorted((find(a), find(b)))
        root[high] = low
    return [find(a) for a in range(len(root))]


def settle(
    pieces: Pieces, *, config: GroupConfig, stands: Callable[[Sequence[int]], bool] | None = None
) -> tuple[Array, Array]:
    """Join what cannot stand alone, smallest first; return the object of each piece and which objects to keep.

    `stands` judges a union of pieces anew after each join; without it a union stands when a member does.
    """
    areas, grounded, hidden = pieces.areas.copy(), pieces.grounded.copy(), pieces.hidden.copy()
    touching, carried = pieces.touching.copy(), pieces.carried.copy()
    members: list[list[int]] = [[k] for k in range(len(areas))]
    while True:
        alive = np.array([len(of) > 0 for of in members], dtype=bool)
        now = Pieces(areas=areas, grounded=grounded, hidden=hidden, touching=touching, carried=carried)
        pair = _next_join(now, alive, config)
        if pair is None:
            break
        gone, kept = pair
        members[kept] += members[gone]
        members[gone] = []
        areas[kept] += areas[gone]
        grounded[kept] = stands(members[kept]) if stands else grounded[kept] or grounded[gone]
        hidden[kept] |= hidden[gone]
        for matrix in (touching, carried):
            matrix[kept] += matrix[gone]
            matrix[:, kept] += matrix[:, gone]
            matrix[gone], matrix[:, gone], matrix[kept, kept] = 0.0, 0.0, 0.0
    return _number(members, pieces.areas, config)


def _number(members: Sequence[Sequence[int]], areas: Array, config: GroupConfig) -> tuple[Array, Array]:
    groups = [of for of in members if of]
    number = np.zeros(len(areas), dtype=np.int64)
    for k, of in enumerate(groups):
        number[list(of)] = k
    return number, np.bincount(number, weights=areas, minlength=len(groups)) >= config.min_area_m2


def _next_join(pieces: Pieces, alive: Array, config: GroupConfig) -> tuple[int, int] | None:
    """Return the smallest piece that cannot stand alone, with the neighbour it touches most."""
    contact = pieces.touching.sum(axis=1)
    best = pieces.touching.argmax(axis=1)
    rest = (pieces.areas < config.min_area_m2) | (pieces.areas < config.min_share * pieces.areas[best])
    hangs = ~(pieces.grounded | pieces.hidden | (pieces.carried.sum(axis=1) >= 0.25 * contact))
    wanted = np.flatnonzero(alive & (contact > 0.0) & (rest | hangs))
    if len(wanted) == 0:
        return None
    k = int(wanted[np.argmin(pieces.areas[wanted])])
    return k, int(best[k])
