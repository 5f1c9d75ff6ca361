"""Merge convex pieces into objects by the length of their contacts.

The outline of a piece is where it meets other pieces or the ground. A handle or the foot of a bowl meets the rest of
its object along about half of its outline or more, or over a length that is large beside its own size; neighbours on a
table meet at a corner or along one upright line. A piece that rests on a shelf meets it all around its foot, and is
recognised by the shelf, which goes on outside that foot.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import ConvexHull, QhullError, cKDTree

from cousins.geometry import Array
from cousins.segment.parts.contacts import MIN_LEVEL_COS, members_by_label
from cousins.segment.parts.stability_grouping import Pieces
from cousins.segment.surfaces.surface import Surface

MIN_PIECE_POINTS = 20
"""Fewest points from which the direction of a piece is estimated."""


@dataclass(frozen=True, kw_only=True)
class PartMergingConfig:
    """Thresholds for when a piece is a part of its neighbour; lengths are in units of the square root of its area."""

    min_outline_share: float = 0.4
    """Share of its own outline along which a part meets its object: nearly half."""
    min_outline_share_same_color: float = 0.35
    """The same where both have one colour."""
    min_contact_length: float = 1.7
    """Contact length from which a piece is a part: nearly half the outline of a square."""
    min_end_contact_length: float = 1.5
    """The same for pieces that meet along most of their outline, or end on end as a handle and its shaft do."""
    max_same_color_step: float = 10.0
    """Lab difference below which two sides of a contact have one colour: shading causes about as much."""
    min_other_color_step: float = 30.0
    """Lab difference from which two sides are of different material."""
    min_outline_share_other_color: float = 0.5
    """Share of an outline along which two large pieces of different material meet if they are one object."""
    color_reach_m: float = 0.03
    """How far from a contact colours are compared [m]."""
    min_enclosed_share: float = 0.6
    """Share of its own outline along which a resting piece meets its shelf: its foot, and little else."""
    max_foot_depth_m: float = 0.01
    """How far below its shelf the foot of a piece may begin, and how high a rim rises [m]: depth errs at edges."""
    min_shaft_elongation: float = 3.0
    """Length over width of a handle or shaft."""
    shaft_end_share: float = 0.25
    """Share of its length that is the end of a shaft, where it meets its object."""
    min_spanned_width_share: float = 0.6
    """Share of a shaft's width that the contact at its end spans."""
    max_grounded_share: float = 0.1
    """Share of the points near the end of a shaft beside the ground from which the end lies on it."""
    small_piece_share: float = 0.25
    """Size below which a piece is small, relative to its object."""
    min_carried_share: float = 0.5
    """Share of a contact that is carried from which one piece rests on another."""
    min_shelf_outside_share: float = 0.25
    """Share of a shelf that must lie outside the outline of the piece that rests on it."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PieceContact:
    """Where a piece meets another."""

    first: int
    """The piece."""
    second: int
    """The other piece."""
    first_points: Array
    """Indices of points of the first piece at the contact, int64 [k]."""
    second_points: Array
    """Indices of points of the second piece at the contact, int64 [l]."""


def longest_contacts(surface: Surface, labels: Array) -> list[PieceContact]:
    """Return for each piece the contact with the neighbour that it meets along the most points.

    `labels` [n] holds the piece of each point; ties go to the lower label.
    """
    a, b = labels[surface.edges].T
    cross = surface.edges[a != b]
    if len(cross) == 0:
        return []
    pairs = np.concatenate([cross, cross[:, ::-1]])
    count = int(labels.max()) + 1
    pair_codes = labels[pairs] @ np.array([count, 1])
    point_codes = np.unique(pair_codes * len(labels) + pairs[:, 0])
    keys, lengths = np.unique(point_codes // len(labels), return_counts=True)
    order = np.lexsort((keys, -lengths, keys // count))
    best = keys[order][np.unique(keys[order] // count, return_index=True)[1]]
    rank = np.argsort(pair_codes, kind="stable")
    starts, ends = (np.searchsorted(pair_codes[rank], best, side=side) for side in ("left", "right"))
    contacts = []
    for key, start, end in zip(best, starts, ends, strict=True):
        crossing = pairs[rank[start:end]]
        first, second = divmod(int(key), count)
        contacts.append(
            PieceContact(
                first=first,
                second=second,
                first_points=np.unique(crossing[:, 0]),
                second_points=np.unique(crossing[:, 1]),
            )
        )
    return contacts


def find_part_pairs(
    surface: Surface,
    labels: Array,
    normals: Array,
    pieces: Pieces,
    *,
    grounded: Array,
    ends: frozenset[tuple[int, int]],
    up: Array,
    config: PartMergingConfig,
) -> list[tuple[int, int]]:
    """Return pairs (part, object) of pieces that are one object by the lengths of their contacts.

    `labels` [n] holds the piece of each point, `normals` [n, 3] their unit normals; `grounded` bool [n] marks points
    beside the ground. Pairs in `ends` meet end on end. `up` [3] points against gravity.
    """
    members = members_by_label(labels)
    on_outline = grounded.copy()
    a, b = labels[surface.edges].T
    on_outline[surface.edges[a != b].ravel()] = True
    pairs = []
    for contact in longest_contacts(surface, labels):
        part, parent = members[contact.first], members[contact.second]
        part_share = len(contact.first_points) / int(on_outline[part].sum())
        parent_share = len(contact.second_points) / int(on_outline[parent].sum())
        color_step = _color_step(surface, contact, part, parent, config.color_reach_m)
        sides = (
            (contact.first, contact.second, part_share),
            (contact.second, contact.first, parent_share),
        )
        rests = any(
            share >= config.min_enclosed_share
            and _rests_on_shelf(surface, normals, pieces, upper, lower, members, up, config)
            for upper, lower, share in sides
        )
        if len(part) > len(parent) or (rests and not _is_rim(surface.points, part, parent, color_step, up, config)):
            continue
        meet_at_ends = bool({(contact.first, contact.second), (contact.second, contact.first)} & ends)
        hangs = not pieces.grounded[contact.first]
        one_hangs = hangs or not pieces.grounded[contact.second]
        same_color = color_step < 2.0 * config.max_same_color_step or np.isinf(color_step)
        continues = meet_at_ends and one_hangs and same_color
        shaft_end = _shaft_end_points(surface.points, contact, part, parent, config)
        juts_out = shaft_end is not None and grounded[part[shaft_end]].mean() <= config.max_grounded_share
        are_different = shaft_end is None and _are_different_objects(
            color_step, len(part) / len(parent), max(part_share, parent_share), config
        )
        length = len(contact.first_points) / np.sqrt(len(part))
        is_long = _is_long_contact(length, part_share, color_step, config, meet_at_ends=meet_at_ends)
        encloses = hangs and part_share >= config.min_enclosed_share
        if continues or juts_out or encloses or (not are_different and is_long):
            pairs.append((contact.first, contact.second))
    return pairs


def _is_long_contact(
    length: float, share: float, color_step: float, config: PartMergingConfig, *, meet_at_ends: bool
) -> bool:
    """Return whether a contact is long beside the size of a piece, or long enough for its share of the outline."""
    same_color = color_step < config.max_same_color_step
    is_outlined = share >= (config.min_outline_share_same_color if same_color else config.min_outline_share)
    return length >= config.min_contact_length or (
        length >= config.min_end_contact_length and (meet_at_ends or is_outlined)
    )


def _are_different_objects(color_step: float, size: float, share: float, config: PartMergingConfig) -> bool:
    """Return whether two pieces of comparable size differ in colour and share too little of an outline to be one."""
    return (
        config.min_other_color_step <= color_step < np.inf
        and size > config.small_piece_share
        and share < config.min_outline_share_other_color
    )


def _rests_on_shelf(
    surface: Surface,
    normals: Array,
    pieces: Pieces,
    upper: int,
    lower: int,
    members: list[Array],
    up: Array,
    config: PartMergingConfig,
) -> bool:
    """Return whether one piece rests on a level face of another that goes on outside its foot."""
    if pieces.carried[upper, lower] < config.min_carried_share * pieces.touching[upper, lower]:
        return False
    shelf = members[lower][normals[members[lower]] @ up > MIN_LEVEL_COS]
    if len(shelf) < 10 or not _begins_above_shelf(surface, members[upper], shelf, up, config.max_foot_depth_m):
        return False
    outside = _share_outside_outline(surface.points[shelf], surface.points[members[upper]], up)
    return outside >= config.min_shelf_outside_share


def _begins_above_shelf(surface: Surface, upper: Array, shelf: Array, up: Array, max_depth_m: float) -> bool:
    """Return whether a piece begins at the height of a shelf, and does not reach down beside it."""
    bottom = float(np.quantile(surface.points[upper] @ up, 0.05))
    return bottom > float(np.median(surface.points[shelf] @ up)) - max_depth_m


def _shaft_end_points(
    points: Array, contact: PieceContact, part: Array, parent: Array, config: PartMergingConfig
) -> Array | None:
    """Return which points [n] of a slender piece are near the end that meets another piece, None where it is no shaft.

    A shaft meets the middle of its object with its whole width. A piece that lies beside another by chance meets it
    along a side, at a corner, or off its middle.
    """
    if len(part) < MIN_PIECE_POINTS:
        return None
    part_points = points[part]
    center = part_points.mean(axis=0)
    axes = np.linalg.svd(part_points - center, full_matrices=False)[2]
    low, high = np.quantile((part_points - center) @ axes.T, (0.02, 0.98), axis=0)
    extent = high - low
    if extent[0] < config.min_shaft_elongation * extent[1]:
        return None
    contact_points = (points[contact.first_points] - center) @ axes.T
    along = (np.median(contact_points[:, 0]) - low[0]) / extent[0]
    spanned = np.ptp(np.quantile(contact_points[:, 1], (0.05, 0.95)))
    if min(along, 1.0 - along) > config.shaft_end_share or spanned < config.min_spanned_width_share * extent[1]:
        return None
    parent_points = (points[parent] - center) @ axes.T
    across = np.quantile(parent_points[:, 1], (0.02, 0.98))
    reach = np.quantile(parent_points[:, 0], (0.02, 0.98))
    is_outward = reach[1] > high[0] if along > 0.5 else reach[0] < low[0]
    offset = abs(float(across.mean() - contact_points[:, 1].mean()))
    if not is_outward or offset > config.shaft_end_share * float(np.ptp(across)):
        return None
    from_contact = np.abs((part_points - center) @ axes[0] - np.median(contact_points[:, 0]))
    return np.asarray(from_contact < config.shaft_end_share * extent[0])


def _is_rim(points: Array, part: Array, parent: Array, color_step: float, up: Array, config: PartMergingConfig) -> bool:
    """Return whether a small piece is the rim of another: it has its colour and rises no higher."""
    part_top, parent_top = (float(np.quantile(points[piece] @ up, 0.98)) for piece in (part, parent))
    is_small = len(part) < config.small_piece_share * len(parent)
    same_color = color_step < 2.0 * config.max_same_color_step
    return is_small and same_color and part_top < parent_top + config.max_foot_depth_m


def _share_outside_outline(shelf: Array, upper: Array, up: Array) -> float:
    """Return the share of points [n, 3] that lie outside the outline, seen from above, of others [m, 3]."""
    level_axes = np.linalg.svd(up[None, :])[2][1:]
    try:
        sides = ConvexHull(upper @ level_axes.T).equations
    except QhullError:
        return 1.0
    return float(((shelf @ level_axes.T) @ sides[:, :2].T + sides[:, 2] > 0.0).any(axis=1).mean())


def _color_step(surface: Surface, contact: PieceContact, part: Array, parent: Array, reach_m: float) -> float:
    """Return the difference of the median Lab colours of both sides near a contact; infinite without colour."""
    tints = []
    for piece, contact_points in ((part, contact.first_points), (parent, contact.second_points)):
        nearby = _points_near_contact(surface.points, piece, contact_points, reach_m)
        gap, _ = cKDTree(surface.points[contact_points]).query(surface.points[nearby], distance_upper_bound=reach_m)
        beside = nearby[(gap > 3.5 * surface.spacing_m) & np.isfinite(gap)]
        colors = surface.colors[beside if len(beside) >= 5 else contact_points]
        colors = colors[np.isfinite(colors[:, 0])]
        if len(colors) == 0:
            return np.inf
        tints.append(np.median(colors, axis=0))
    return float(np.linalg.norm(tints[0] - tints[1]))


def _points_near_contact(points: Array, piece: Array, contact_points: Array, reach_m: float) -> Array:
    """Return those of a piece's point indices [n] that lie in the box around a contact [k], grown by `reach_m`."""
    low, high = points[contact_points].min(axis=0) - reach_m, points[contact_points].max(axis=0) + reach_m
    return piece[((points[piece] >= low) & (points[piece] <= high)).all(axis=1)]
