"""Features of a pair of pieces from which a network estimates whether both are one object.

Lengths are relative to the size of the smaller piece, angles to the full turn of a face, and depths to the noise, so
that the same numbers describe the same relation at any range and with any sensor.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import ConvexHull, QhullError

from cousins.geometry import Array
from cousins.segment.affinity.view_pieces import ViewPieces

CONCAVE_DEG = -25.0
"""Bend below which a border is a clear concave crease [degree]."""
CONVEX_DEG = -12.0
"""Bend above which a border is flat or convex [degree]: the error of patch normals."""
SIZE_SCALE_M = 0.03
"""Size of a piece that counts as zero: about the geometric mean of pieces on a table [m]."""
MAX_SAMPLES = 160
"""Most points that represent a piece: their pairs show its convexity within a few per cent."""
FEATURE_LIMIT = 4.0
"""Largest size of a feature: beyond it a relation is clear."""
COLOR_SCALE = 25.0
"""Lab difference that counts as one unit: a clearly other colour."""
MAX_STACKED_SIZE_RATIO = 0.5
"""Logarithm of the ratio of sizes up to which two pieces are comparable: areas of 1 to 2.7."""
MIN_STACKED_SHARE = 0.7
"""Share of a contact that is a crease, and that rests, where one thing stands on another; the rest is noise."""
FEATURE_NAMES = (
    "size",
    "size_ratio",
    "contact",
    "contact_share_small",
    "contact_share_large",
    "small_hides",
    "large_hides",
    "small_hidden",
    "large_hidden",
    "bend",
    "convex_share",
    "concave_share",
    "step",
    "color_at_contact",
    "color",
    "color_known",
    "small_rests",
    "large_rests",
    "small_grounded",
    "large_grounded",
    "bottom",
    "top",
    "small_inward",
    "large_inward",
    "union_solidity",
    "solidity_gain",
    "coplanarity",
    "facing",
    "large_in_front_of_small",
    "small_in_front_of_large",
    "pair_convexity",
    "distance",
    "level_offset",
)
"""Features of a pair in order: of the smaller and the larger piece, of their contact, and of their union."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PieceSummary:
    """What is compared of one piece."""

    number: int
    """Its label."""
    members: Array
    """Indices of its points, int64 [n]."""
    samples: Array
    """Indices of at most `MAX_SAMPLES` points that represent it, int64 [s]."""
    area_m2: float
    """Visible area across the line of sight [m²]."""
    outline_m: float
    """Length of its border [m]."""
    grounded_share: float
    """Share of the border that ends low over the support."""
    hidden_share: float
    """Share of the border at which something is in front."""
    low_m: float
    """Height of its lower end [m]."""
    high_m: float
    """Height of its upper end [m]."""
    color: Array
    """Median Lab colour, float64 [3]; NaN where unknown."""
    solidity: float
    """Share of its convex outline in the image that it covers."""


def summarise(pieces: ViewPieces, number: int, members: Array) -> PieceSummary:
    """Return the summary of the piece with this label and these points, int64 [n]."""
    samples = members
    if len(members) > MAX_SAMPLES:
        samples = members[np.linspace(0, len(members) - 1, MAX_SAMPLES).astype(np.int64)]
    border = pieces.border
    rows = np.flatnonzero(border.first == number)
    length = border.length_m[rows]
    outline = max(float(length.sum()), 1e-9)
    with_color = pieces.colors[samples][np.isfinite(pieces.colors[samples, 0])]
    return PieceSummary(
        number=number,
        members=members,
        samples=samples,
        area_m2=float(pieces.pixel_areas_m2[members].sum()),
        outline_m=outline,
        grounded_share=float((length * border.on_ground[rows]).sum()) / outline,
        hidden_share=float((length * border.behind[rows]).sum()) / outline,
        low_m=float(np.quantile(pieces.height_m[members], 0.05)),
        high_m=float(np.quantile(pieces.height_m[members], 0.97)),
        color=np.median(with_color, axis=0) if len(with_color) else np.full(3, np.nan),
        solidity=_solidity(pieces.pixels[samples], len(members)),
    )


def candidate_pairs(pieces: ViewPieces) -> Array:
    """Return the pairs of pieces [m, 2], first < second, that border each other or border one piece that hides both."""
    border = pieces.border
    between = border.second >= 0
    a, b = border.first[between], border.second[between]
    pairs = [np.stack([np.minimum(a, b), np.maximum(a, b)], axis=1)]
    behind = between & border.behind
    hider, hidden = border.second[behind], border.first[behind]
    for front in np.unique(hider):
        concealed = np.unique(hidden[hider == front])
        i, j = np.triu_indices(len(concealed), 1)
        pairs.append(np.stack([concealed[i], concealed[j]], axis=1))
    return np.unique(np.concatenate(pairs), axis=0)


def pair_features(pieces: ViewPieces, first: PieceSummary, second: PieceSummary) -> Array:
    """Return the features of a pair in the order of `FEATURE_NAMES`, float64 [f]."""
    small, large = sorted((first, second), key=lambda piece: (piece.area_m2, piece.number))
    size = float(np.sqrt(small.area_m2)) + 1e-6
    values = [
        np.log(size / SIZE_SCALE_M),
        0.5 * np.log(large.area_m2 / max(small.area_m2, 1e-9)),
        *_contact_features(pieces, small, large, size),
        _color_distance(small.color, large.color),
        float(np.isfinite(small.color[0]) and np.isfinite(large.color[0])),
        *_support_features(pieces, small, large),
        (small.low_m - large.low_m) / size,
        (small.high_m - large.high_m) / size,
        *_shape_features(pieces, small, large, size),
    ]
    return np.asarray(np.clip(np.nan_to_num(np.array(values)), -FEATURE_LIMIT, FEATURE_LIMIT))


def are_stacked(features: Array) -> Array:
    """Return which pairs, from their features [m, f], are two things of which one stands on the other, bool [m].

    Both are of comparable size, meet in a crease all along, and the upper one rests and is closed towards outside: the
    wall of a bowl rests on its bottom too, but faces inwards; a lid or a key is small beside what it lies on.
    """
    column = {name: features[:, k] for k, name in enumerate(FEATURE_NAMES)}
    comparable = (column["size_ratio"] < MAX_STACKED_SIZE_RATIO) & (column["concave_share"] > MIN_STACKED_SHARE)
    small_on_large = (column["small_rests"] > MIN_STACKED_SHARE) & (column["small_inward"] < 0.0)
    large_on_small = (column["large_rests"] > MIN_STACKED_SHARE) & (column["large_inward"] < 0.0)
    return np.asarray(comparable & (small_on_large | large_on_small))


def _contact_features(pieces: ViewPieces, small: PieceSummary, large: PieceSummary, size: float) -> list[float]:
    border = pieces.border
    outward = np.flatnonzero((border.first == small.number) & (border.second == large.number))
    inward = np.flatnonzero((border.first == large.number) & (border.second == small.number))
    length = border.length_m[outward]
    contact = length * border.touching[outward]
    contact_m = float(contact.sum())

    def mean(values: Array) -> float:
        return float((values * contact).sum() / max(contact_m, 1e-9))

    bend = border.bend_deg[outward]
    return [
        contact_m / size,
        contact_m / small.outline_m,
        contact_m / large.outline_m,
        float((length * border.in_front[outward]).sum()) / small.outline_m,
        float((border.length_m[inward] * border.in_front[inward]).sum()) / small.outline_m,
        small.hidden_share,
        large.hidden_share,
        mean(np.clip(bend, -60.0, 60.0)) / 30.0,
        mean(bend > CONVEX_DEG),
        mean(bend < CONCAVE_DEG),
        mean(np.minimum(border.step[outward], 12.0)) / 3.0,
        mean(border.color_step[outward]) / COLOR_SCALE,
    ]


def _support_features(pieces: ViewPieces, small: PieceSummary, large: PieceSummary) -> list[float]:
    border = pieces.border
    shares = []
    for upper, lower in ((small, large), (large, small)):
        rows = np.flatnonzero((border.first == upper.number) & (border.second == lower.number) & border.touching)
        resting_m = float((border.length_m[rows] * border.rests[rows]).sum())
        shares.append(resting_m / max(float(border.length_m[rows].sum()), 1e-9))
    return [*shares, small.grounded_share, large.grounded_share]


def _shape_features(pieces: ViewPieces, small: PieceSummary, large: PieceSummary, size: float) -> list[float]:
    p, q = pieces.points[small.samples], pieces.points[large.samples]
    n, m = pieces.normals[small.samples], pieces.normals[large.samples]
    middle = 0.5 * (p.mean(axis=0) + q.mean(axis=0))
    pixels = np.concatenate([pieces.pixels[small.samples], pieces.pixels[large.samples]])
    solidity = _solidity(pixels, len(small.members) + len(large.members))
    gap = q[None] - p[:, None]
    distance = np.linalg.norm(gap, axis=2)
    unit = gap / np.maximum(distance, 1e-9)[..., None]
    ahead_of_small = np.einsum("pqk,pk->pq", unit, n)
    ahead_of_large = -np.einsum("pqk,qk->pq", unit, m)
    off_plane = float(np.median(np.abs((p - q.mean(axis=0)) @ _mean_direction(m)))) / (3.0 * pieces.sigma_m)
    across = p.mean(axis=0) - q.mean(axis=0)
    across = across - (across @ pieces.up) * pieces.up
    return [
        _mean_inward_cosine(p, n, middle),
        _mean_inward_cosine(q, m, middle),
        solidity,
        solidity - min(small.solidity, large.solidity),
        off_plane,
        float(_mean_direction(n) @ _mean_direction(m)),
        float(np.clip(ahead_of_small, 0.0, None).mean()),
        float(np.clip(ahead_of_large, 0.0, None).mean()),
        float(np.minimum(ahead_of_small, ahead_of_large).mean()),
        float(distance.min()) / size,
        float(np.linalg.norm(across)) / size,
    ]


def _mean_direction(normals: Array) -> Array:
    mean = normals.mean(axis=0)
    return np.asarray(mean / max(float(np.linalg.norm(mean)), 1e-9))


def _mean_inward_cosine(points: Array, normals: Array, middle: Array) -> float:
    """Return the mean cosine of normals with the direction to the middle: 1 inside a ball, -1 on its outside."""
    inward = middle - points
    inward /= np.maximum(np.linalg.norm(inward, axis=1, keepdims=True), 1e-9)
    return float(np.einsum("ij,ij->i", inward, normals).mean())


def _color_distance(first: Array, second: Array) -> float:
    return float(np.nan_to_num(np.linalg.norm(first - second))) / COLOR_SCALE


def _solidity(pixels: Array, count: int) -> float:
    """Return the share of the convex outline of pixels [n, 2] that `count` pixels cover, at most 1."""
    try:
        area = float(ConvexHull(pixels).volume)
    except (QhullError, ValueError):
        return 1.0
    return min(1.0, count / max(area, 1.0))
