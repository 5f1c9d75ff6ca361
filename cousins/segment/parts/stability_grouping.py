"""Group convex pieces to objects by static stability.

A piece is an object of its own when it stands on a plane, is supported from below by another piece, or when its lower
end is hidden from view. A piece that would hang in the air belongs to the neighbour it touches most (mug handles, chair
arms). Small fragments join the neighbour they touch most or are dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from cousins.geometry import Array


@dataclass(frozen=True, kw_only=True)
class GroupConfig:
    """Which pieces may be objects on their own."""

    min_area_m2: float = 0.0006
    """Visible area below which a piece is a fragment of its neighbour [m²]: 2.5 cm square."""
    min_share: float = 0.06
    """Visible area below which a piece is a fragment, relative to the neighbour it touches most."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Pieces:
    """Areas, support and contacts of the pieces of one surface."""

    areas: Array
    """Visible surface of each [m²], float64 [k]."""
    grounded: Array
    """Stands on a plane, bool [k]."""
    hidden: Array
    """Its lower end is hidden from view, bool [k]."""
    touching: Array
    """Length of contact between two pieces [m], float64 [k, k], symmetric."""
    carried: Array
    """Length of contact at which the first is supported from below by the second [m], float64 [k, k]."""


def merge_groups(parent: Sequence[int], pairs: Sequence[tuple[int, int]]) -> list[int]:
    """Return the group of each member after joining pairs (union-find); a group is numbered by its lowest member."""
    root = list(parent)

    def find(a: int) -> int:
        while root[a] != a:
            a = root[a]
        return a

    for a, b in pairs:
        low, high = sorted((find(a), find(b)))
        root[high] = low
    return [find(a) for a in range(len(root))]


def group_by_stability(
    pieces: Pieces, *, config: GroupConfig, is_stable: Callable[[Sequence[int]], bool] | None = None
) -> tuple[Array, Array]:
    """Join pieces that cannot stand alone, smallest first.

    Returns the object of each piece, int64 [k], and which objects to keep, bool [objects]. `is_stable` tests a union of
    pieces after each join; without it a union stands when a member does.
    """
    state = _JoiningPieces(pieces)
    members: list[list[int]] = [[k] for k in range(len(pieces.areas))]
    while True:
        joins = _next_joins(state, config)
        if not joins:
            return _number_objects(members, pieces.areas, config)
        current = list(range(len(members)))
        for source, target in joins:
            while current[target] != target:
                target = current[target]
            if target == source:
                continue
            current[source] = target
            members[target] += members[source]
            members[source] = []
            state.absorb(source, target)
            if is_stable:
                state.grounded[target] = is_stable(members[target])


class _JoiningPieces:
    """Mutable copy of `Pieces` during joining, with the row sums and row maxima of its contacts kept up to date."""

    def __init__(self, pieces: Pieces) -> None:
        """Copy the pieces."""
        self.areas, self.grounded, self.hidden = pieces.areas.copy(), pieces.grounded.copy(), pieces.hidden.copy()
        self.touching, self.carried = pieces.touching.copy(), pieces.carried.copy()
        self.alive = np.ones(len(self.areas), dtype=bool)
        self.contact_length, self.best_neighbour = self.touching.sum(axis=1), self.touching.argmax(axis=1)
        self.carried_length = self.carried.sum(axis=1)

    def absorb(self, source: int, target: int) -> None:
        """Merge the source piece into the target; only rows of pieces that touched it change."""
        changed = (self.touching[source] > 0.0) | (self.carried[:, source] > 0.0)
        changed[[source, target]] = True
        self.alive[source] = False
        self.areas[target] += self.areas[source]
        self.grounded[target] |= self.grounded[source]
        self.hidden[target] |= self.hidden[source]
        for matrix in (self.touching, self.carried):
            matrix[target] += matrix[source]
            matrix[:, target] += matrix[:, source]
            matrix[source], matrix[:, source], matrix[target, target] = 0.0, 0.0, 0.0
        rows = np.flatnonzero(changed)
        self.contact_length[rows], self.best_neighbour[rows] = (
            self.touching[rows].sum(axis=1),
            self.touching[rows].argmax(axis=1),
        )
        self.carried_length[rows] = self.carried[rows].sum(axis=1)


def _number_objects(members: Sequence[Sequence[int]], areas: Array, config: GroupConfig) -> tuple[Array, Array]:
    groups = [group for group in members if group]
    number = np.zeros(len(areas), dtype=np.int64)
    for k, group in enumerate(groups):
        number[list(group)] = k
    return number, np.bincount(number, weights=areas, minlength=len(groups)) >= config.min_area_m2


def _next_joins(pieces: _JoiningPieces, config: GroupConfig) -> list[tuple[int, int]]:
    """Return the pieces to join next, each with the neighbour it touches most.

    First the smallest fragment; once there is none, all hanging pieces at the same time: a chair's back must not
    gain a foot by taking in an arm first.
    """
    best = pieces.best_neighbour
    can_join = pieces.alive & (pieces.contact_length > 0.0)
    is_small = can_join & ((pieces.areas < config.min_area_m2) | (pieces.areas < config.min_share * pieces.areas[best]))
    is_hanging = can_join & ~(pieces.grounded | pieces.hidden | (pieces.carried_length >= 0.25 * pieces.contact_length))
    candidates = np.flatnonzero(is_small if is_small.any() else is_hanging)
    order = candidates[np.argsort(pieces.areas[candidates], kind="stable")]
    return [(int(k), int(best[k])) for k in (order[:1] if is_small.any() else order)]
