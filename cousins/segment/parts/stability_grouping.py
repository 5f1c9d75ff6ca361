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
    state = _State(pieces)
    members: list[list[int]] = [[k] for k in range(len(pieces.areas))]
    while True:
        wanted = _next_joins(state, config)
        if not wanted:
            return _number(members, pieces.areas, config)
        now = list(range(len(members)))
        for gone, kept in wanted:
            while now[kept] != kept:
                kept = now[kept]
            if kept == gone:
                continue
            now[gone] = kept
            members[kept] += members[gone]
            members[gone] = []
            state.absorb(gone, kept)
            if stands:
                state.grounded[kept] = stands(members[kept])


class _State:
    """Pieces as they join: their contacts, and of each row of these its sum and its greatest, kept up to date."""

    def __init__(self, pieces: Pieces) -> None:
        """Take a copy."""
        self.areas, self.grounded, self.hidden = pieces.areas.copy(), pieces.grounded.copy(), pieces.hidden.copy()
        self.touching, self.carried = pieces.touching.copy(), pieces.carried.copy()
        self.alive = np.ones(len(self.areas), dtype=bool)
        self.contact, self.best = self.touching.sum(axis=1), self.touching.argmax(axis=1)
        self.held = self.carried.sum(axis=1)

    def absorb(self, gone: int, kept: int) -> None:
        """Join a piece to another; only rows of what touched it change."""
        changed = (self.touching[gone] > 0.0) | (self.carried[:, gone] > 0.0)
        changed[[gone, kept]] = True
        self.alive[gone] = False
        self.areas[kept] += self.areas[gone]
        self.grounded[kept] |= self.grounded[gone]
        self.hidden[kept] |= self.hidden[gone]
        for matrix in (self.touching, self.carried):
            matrix[kept] += matrix[gone]
            matrix[:, kept] += matrix[:, gone]
            matrix[gone], matrix[:, gone], matrix[kept, kept] = 0.0, 0.0, 0.0
        rows = np.flatnonzero(changed)
        self.contact[rows], self.best[rows] = self.touching[rows].sum(axis=1), self.touching[rows].argmax(axis=1)
        self.held[rows] = self.carried[rows].sum(axis=1)


def _number(members: Sequence[Sequence[int]], areas: Array, config: GroupConfig) -> tuple[Array, Array]:
    groups = [of for of in members if of]
    number = np.zeros(len(areas), dtype=np.int64)
    for k, of in enumerate(groups):
        number[list(of)] = k
    return number, np.bincount(number, weights=areas, minlength=len(groups)) >= config.min_area_m2


def _next_joins(pieces: _State, config: GroupConfig) -> list[tuple[int, int]]:
    """Return what is to join next, each with the neighbour it touches most.

    First the smallest rest; once there is none, all pieces that hang, at the same time: a chair's back must not
    gain a foot by taking in an arm first.
    """
    best = pieces.best
    able = pieces.alive & (pieces.contact > 0.0)
    rest = able & ((pieces.areas < config.min_area_m2) | (pieces.areas < config.min_share * pieces.areas[best]))
    hangs = able & ~(pieces.grounded | pieces.hidden | (pieces.held >= 0.25 * pieces.contact))
    wanted = np.flatnonzero(rest if rest.any() else hangs)
    order = wanted[np.argsort(pieces.areas[wanted], kind="stable")]
    return [(int(k), int(best[k])) for k in (order[:1] if rest.any() else order)]
