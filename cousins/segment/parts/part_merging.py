"""Parts of one thing meet along much of their outline; two things that touch meet along little of it.

The outline of a piece is where it meets other pieces or the ground. A handle or the foot of a bowl meets the rest
along about half of its outline or more, or over a length that is large beside its own size; neighbours on a table
meet at a corner or along one upright line. What rests on a shelf meets it all around its foot and is told apart by
the shelf, which goes on outside.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import ConvexHull, QhullError, cKDTree

from cousins.geometry import Array
from cousins.segment.parts.contacts import LEVEL_COS, members_of
from cousins.segment.parts.stability_grouping import Pieces
from cousins.segment.surfaces.surface import Surface

MOST = 0.4
"""Share of its own outline along which a part meets its thing: nearly half."""
MUCH = 0.35
"""The same where both are of one colour."""
LONG = 1.7
"""Contact over the square root of the piece's area from which it is a part: nearly half the outline of a square."""
END = 1.5
"""The same for pieces that meet along most of their outline, or end on end as a handle and its shaft do."""
ONE_COLOR = 10.0
"""Lab difference below which two sides of a contact have one colour: shading makes about as much."""
OTHER_COLOR = 30.0
"""Lab difference from which two sides are of other stuff: only half the outline makes two large pieces one thing."""
HALF = 0.5
"""Share of an outline along which large parts of other stuff meet."""
NEAR_M = 0.03
"""How far from a contact colours are compared [m]."""
AROUND = 0.6
"""Share of its own outline along which what rests meets its shelf: its foot, and little else."""
FOOT_M = 0.01
"""How far below its shelf the foot of a thing may begin [m], and what rises as little is a rim: depth errs at edges."""
LEAST_POINTS = 20
"""Fewer points have no direction."""
SHAFT = 3.0
"""Length over width of a handle or shaft."""
TIP = 0.25
"""Share of its length at which a shaft meets its thing: its end."""
SPANNED = 0.6
"""Share of a shaft's width that the contact at its end spans."""
LYING = 0.1
"""Share of the points near an end that are beside the ground from which the end lies on it."""
SMALL = 0.25
"""Size below which a piece is a small one, as a part of its thing."""
REST = 0.5
"""Share of a contact that is carried from which one thing rests on another."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Contact:
    """Where a piece meets another."""

    first: int
    """The piece."""
    second: int
    """The other piece."""
    mine: Array
    """Points of the first at the contact, int64 [k]."""
    other: Array
    """Points of the second at the contact, int64 [l]."""


def contacts_of(surface: Surface, labels: Array) -> list[Contact]:
    """Return for each piece in contact the neighbour that it meets along the most points; ties go to the lower."""
    a, b = labels[surface.edges].T
    cross = surface.edges[a != b]
    if len(cross) == 0:
        return []
    pairs = np.concatenate([cross, cross[:, ::-1]])
    count = int(labels.max()) + 1
    names = labels[pairs] @ np.array([count, 1])
    at = np.unique(names * len(labels) + pairs[:, 0])
    keys, lengths = np.unique(at // len(labels), return_counts=True)
    order = np.lexsort((keys, -lengths, keys // count))
    best = keys[order][np.unique(keys[order] // count, return_index=True)[1]]
    rank = np.argsort(names, kind="stable")
    starts, ends = (np.searchsorted(names[rank], best, side=side) for side in ("left", "right"))
    found = []
    for key, start, end in zip(best, starts, ends, strict=True):
        own = pairs[rank[start:end]]
        first, second = divmod(int(key), count)
        found.append(Contact(first=first, second=second, mine=np.unique(own[:, 0]), other=np.unique(own[:, 1])))
    return found


def parts(
    surface: Surface,
    labels: Array,
    normals: Array,
    pieces: Pieces,
    *,
    grounded: Array,
    ends: frozenset[tuple[int, int]],
    up: Array,
) -> list[tuple[int, int]]:
    """Return pairs (part, thing) by the lengths of their contacts; `grounded` [n] marks points beside the ground.

    Pairs in `ends` meet end on end.
    """
    members = members_of(labels)
    outline = grounded.copy()
    a, b = labels[surface.edges].T
    outline[surface.edges[a != b].ravel()] = True
    found = []
    for contact in contacts_of(surface, labels):
        of, other = members[contact.first], members[contact.second]
        share = len(contact.mine) / int(outline[of].sum())
        theirs = len(contact.other) / int(outline[other].sum())
        step = _color_step(surface, contact, of, other)
        sides = ((contact.first, contact.second, share), (contact.second, contact.first, theirs))
        rests = any(
            around >= AROUND and _rests(surface, normals, pieces, upper, lower, members, up)
            for upper, lower, around in sides
        )
        if len(of) > len(other) or (rests and not _is_rim(surface.points, of, other, step, up)):
            continue
        end = bool({(contact.first, contact.second), (contact.second, contact.first)} & ends)
        hangs = not pieces.grounded[contact.first]
        ends_so = end and (hangs or not pieces.grounded[contact.second])
        goes_on = ends_so and (step < 2.0 * ONE_COLOR or np.isinf(step))
        end_of_shaft = _is_shaft(surface.points, contact, of, other)
        juts = end_of_shaft is not None and grounded[of[end_of_shaft]].mean() <= LYING
        two = end_of_shaft is None and _of_other_stuff(step, len(of) / len(other), max(share, theirs))
        length = len(contact.mine) / np.sqrt(len(of))
        if goes_on or juts or (hangs and share >= AROUND) or (not two and _is_long(length, share, step, end=end)):
            found.append((contact.first, contact.second))
    return found


def _is_long(length: float, share: float, step: float, *, end: bool) -> bool:
    """Tell whether a contact is long beside the size of a piece, or long enough for its share of the outline."""
    outlined = share >= (MUCH if step < ONE_COLOR else MOST)
    return length >= LONG or (length >= END and (end or outlined))


def _of_other_stuff(step: float, size: float, share: float) -> bool:
    """Tell whether two pieces of comparable size differ in colour and share too little of an outline to be one."""
    return OTHER_COLOR <= step < np.inf and size > SMALL and share < HALF


def _rests(
    surface: Surface, normals: Array, pieces: Pieces, upper: int, lower: int, members: list[Array], up: Array
) -> bool:
    """Tell whether one piece rests on a shelf of another that goes on outside."""
    if pieces.carried[upper, lower] < REST * pieces.touching[upper, lower]:
        return False
    shelf = members[lower][normals[members[lower]] @ up > LEVEL_COS]
    if len(shelf) < 10 or not _above(surface, members[upper], shelf, up):
        return False
    return _outside(surface.points[shelf], surface.points[members[upper]], up) >= 0.25


def _above(surface: Surface, upper: Array, shelf: Array, up: Array) -> bool:
    """Tell whether a piece begins at the height of a shelf, and does not reach down beside it."""
    bottom = float(np.quantile(surface.points[upper] @ up, 0.05))
    return bottom > float(np.median(surface.points[shelf] @ up)) - FOOT_M


def _is_shaft(points: Array, contact: Contact, of: Array, other: Array) -> Array | None:
    """Return which points [n] of a slender piece are near its end, where that meets the middle of another, else None.

    It meets it with its whole width. What lies beside another thing by chance meets it along a side, at a corner, or
    off its middle.
    """
    if len(of) < LEAST_POINTS:
        return None
    own = points[of]
    center = own.mean(axis=0)
    axes = np.linalg.svd(own - center, full_matrices=False)[2]
    low, high = np.quantile((own - center) @ axes.T, (0.02, 0.98), axis=0)
    extent = high - low
    if extent[0] < SHAFT * extent[1]:
        return None
    at = (points[contact.mine] - center) @ axes.T
    along = (np.median(at[:, 0]) - low[0]) / extent[0]
    if min(along, 1.0 - along) > TIP or np.ptp(np.quantile(at[:, 1], (0.05, 0.95))) < SPANNED * extent[1]:
        return None
    beyond = (points[other] - center) @ axes.T
    across = np.quantile(beyond[:, 1], (0.02, 0.98))
    reach = np.quantile(beyond[:, 0], (0.02, 0.98))
    outward = reach[1] > high[0] if along > 0.5 else reach[0] < low[0]
    if not outward or abs(float(across.mean() - at[:, 1].mean())) > TIP * float(np.ptp(across)):
        return None
    return np.asarray(np.abs((own - center) @ axes[0] - np.median(at[:, 0])) < TIP * extent[0])


def _is_rim(points: Array, of: Array, other: Array, step: float, up: Array) -> bool:
    """Tell whether a small piece has the colour of another and rises no higher: it is its rim, and rests on nothing."""
    top, edge = (float(np.quantile(points[each] @ up, 0.98)) for each in (of, other))
    small = len(of) < SMALL * len(other)
    return small and step < 2.0 * ONE_COLOR and top < edge + FOOT_M


def _outside(shelf: Array, upper: Array, up: Array) -> float:
    """Return the share of points [n, 3] that lie outside the outline, seen from above, of others [m, 3]."""
    helper = np.linalg.svd(up[None, :])[2][1:]
    try:
        sides = ConvexHull(upper @ helper.T).equations
    except QhullError:
        return 1.0
    return float(((shelf @ helper.T) @ sides[:, :2].T + sides[:, 2] > 0.0).any(axis=1).mean())


def _color_step(surface: Surface, contact: Contact, of: Array, other: Array) -> float:
    """Return the difference of the median Lab colours of both sides near a contact; infinite without colour."""
    tints = []
    for own, at in ((of, contact.mine), (other, contact.other)):
        own = _within(surface.points, own, at)
        gap, _ = cKDTree(surface.points[at]).query(surface.points[own], distance_upper_bound=NEAR_M)
        beside = own[(gap > 3.5 * surface.spacing_m) & np.isfinite(gap)]
        known = surface.colors[beside if len(beside) >= 5 else at]
        known = known[np.isfinite(known[:, 0])]
        if len(known) == 0:
            return np.inf
        tints.append(np.median(known, axis=0))
    return float(np.linalg.norm(tints[0] - tints[1]))


def _within(points: Array, own: Array, at: Array) -> Array:
    """Return those of a piece's points [n] that lie in the box around a contact [k], grown by `NEAR_M`."""
    low, high = points[at].min(axis=0) - NEAR_M, points[at].max(axis=0) + NEAR_M
    return own[((points[own] >= low) & (points[own] <= high)).all(axis=1)]
