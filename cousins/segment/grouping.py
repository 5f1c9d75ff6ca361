"""From convex pieces to objects, by what can rest where it is.

A piece is an object of its own when it stands on a plane, is carried from below by another piece, or when
what is below it cannot be seen. A piece that would hang in the air belongs to the neighbour it touches most
(mug handles, chair arms). Small rests follow the neighbour they touch most or are dropped.
"""

from __future__ import annotations

from collections.abc import Sequence
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


def merge(pieces: Pieces, groups: Sequence[int]) -> tuple[Pieces, Array]:
    """Return the pieces after joining, and the new number of each old piece."""
    number = np.unique(np.asarray(groups), return_inverse=True)[1].ravel()
    count = int(number.max()) + 1 if len(number) else 0
    gather = np.zeros((count, len(number)))
    gather[number, np.arange(len(number))] = 1.0
    touching = gather @ pieces.touching @ gather.T
    carried = gather @ pieces.carried @ gather.T
    np.fill_diagonal(touching, 0.0)
    np.fill_diagonal(carried, 0.0)
    merged = Pieces(
        areas=gather @ pieces.areas,
        grounded=(gather @ pieces.grounded) > 0.0,
        hidden=(gather @ pieces.hidden) > 0.0,
        touching=touching,
        carried=carried,
    )
    return merged, number


def settle(pieces: Pieces, *, config: GroupConfig) -> tuple[Array, Array]:
    """Join what cannot stand alone, smallest first; return the object of each piece and which objects to keep."""
    number = np.arange(len(pieces.areas))
    while True:
        pair = _next_join(pieces, config)
        if pair is None:
            break
        pieces, step = merge(pieces, union(list(range(len(pieces.areas))), [pair]))
        number = step[number]
    return number, pieces.areas >= config.min_area_m2


def _next_join(pieces: Pieces, config: GroupConfig) -> tuple[int, int] | None:
    for k in np.argsort(pieces.areas, kind="stable"):
        contact = pieces.touching[k]
        if not contact.any():
            continue
        best = int(np.argmax(contact))
        rest = pieces.areas[k] < config.min_area_m2 or pieces.areas[k] < config.min_share * pieces.areas[best]
        hangs = not (pieces.grounded[k] or pieces.hidden[k] or pieces.carried[k].sum() >= 0.25 * contact.sum())
        if rest or hangs:
            return int(k), best
    return None
