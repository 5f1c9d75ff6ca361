"""Thin legs that depth loses: loose pieces are tied to the body, and stumps are let down to the support.

A phone's depth fades along a thin leg into the floor behind it. Pieces of a leg that were measured but hang loose, and
legs that end in the air while the object could not stand, are known to go on: something carries it.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.spatial import ConvexHull, QhullError, cKDTree

from cousins.geometry import Array
from cousins.reconstruct.surface.leg_symmetry import extent, mirror_legs
from cousins.reconstruct.surface.view_evidence import OTHER, Evidence, Grid

WEAK_SHARE = 0.9
"""How far outside a voxel of a thin part may seem, as a part of a voxel."""
SHOWN_PER_LOOK = 3.0
"""Views that show a thin part's surface for each that looks through it."""
LEAST_LOOSE_VOXELS = 8
"""Solid voxels that a thin part must have."""
LEAST_PIECE_VOXELS = 20
"""Smaller loose pieces are taken for noise."""
NEAR_GAP_M = 0.02
"""A piece this close to the body is a part of it [m]: less than a phone's LiDAR resolves."""
WIDEST_GAP_M = 0.08
"""The same for a body that would fall over [m]: about the length of a leg that depth loses."""
STUMP_SHARE = 0.35
"""A stump must end below this share of the object's height."""
LEAST_GAIN = 0.1
"""A leg that a rod would thicken by less, as a part of its volume, is thick enough."""
LEAST_STUMP_SHARE = 0.1
"""A stump is at least this share of the object's height tall, and taller than wide."""
LEG_RADIUS_M = 0.008
"""Half thickness of what ties and lengthens legs, and least one of legs [m], if the voxels are not coarser."""
LEG_LENGTH_M = 0.06
"""What is thin over at least this height is a leg [m], ..."""
THIN = 1.5
"""... thin as a rod of so many times the least half thickness: some layers of a fading leg are whole."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Stood:
    """A field whose object hangs together and stands."""

    field: Array
    """Signed distance [m], float32 [x, y, z]."""
    completions: tuple[str, ...]
    """What was added: `loose pieces tied`, `legs let down`, `legs mirrored`, `thin legs thickened`."""


def rejoin(field: Array, evidence: Evidence, grid: Grid) -> Array:
    """Keep thin parts whole: what was measured apart from the body is joined through what nearly every view shows.

    A rod as thin as a voxel or two breaks where noise lifts its distance just above zero; there, a voxel counts as
    solid up to `WEAK_SHARE` of a voxel outside if the views that show the surface far outnumber those that look through
    and those that see something else.
    """
    inside = field < 0.0
    body = _body(field)
    weak = (field < WEAK_SHARE * grid.voxel_m) & (evidence.shown > SHOWN_PER_LOOK * evidence.free)
    weak &= evidence.weight[:OTHER].sum(axis=0) > SHOWN_PER_LOOK * evidence.weight[OTHER]
    around = ndimage.binary_dilation(body)
    parts, count = ndimage.label((weak | inside) & ~around, np.ones((3, 3, 3)))
    loose = np.bincount(parts[inside & ~body & ~around], minlength=count + 1)
    touching = np.unique(parts[ndimage.binary_dilation(around, np.ones((3, 3, 3)), iterations=2) & (parts > 0)])
    kept = [part for part in touching if loose[part] >= LEAST_LOOSE_VOXELS]
    part = np.isin(parts, kept)
    joint = around & ~body & ndimage.binary_dilation(part, np.ones((3, 3, 3)), iterations=2) & (weak | part)
    return np.where(part | joint, np.minimum(field, -0.3 * grid.voxel_m), field).astype(np.float32)


def stand(field: Array, looks: Array, grid: Grid, *, base_m: float) -> Stood:
    """Tie loose pieces to the body; where it would fall over, tie farther ones, mirror legs and let stumps down.

    `looks` counts by voxel the views that look past it, float32 [x, y, z].
    """
    base = int(np.searchsorted(grid.axis(2), base_m))
    thin = 1.3 * grid.voxel_m
    field, tied = _tied(field, grid, thin, NEAR_GAP_M)
    if _stands(_body(field), base):
        return Stood(field=field, completions=("loose pieces tied",) if tied else ())
    radius = max(LEG_RADIUS_M, thin)
    field, more = _tied(field, grid, radius, WIDEST_GAP_M)
    tied += more
    field, lowered = _let_down(field, grid, base, radius)
    field, mirrored = mirror_legs(field, _body(field), looks, voxel_m=grid.voxel_m)
    if mirrored:
        field, more = _let_down(field, grid, base, radius)
        lowered += more
    field, thickened = _thickened(field, grid, radius)
    added = (
        ("loose pieces tied", tied),
        ("legs let down", lowered),
        ("legs mirrored", mirrored),
        ("thin legs thickened", thickened),
    )
    return Stood(field=field, completions=tuple(name for name, count in added if count))


def _body(field: Array) -> Array:
    """Return the largest connected piece, bool [x, y, z]; nothing where nothing is solid."""
    labels, _ = ndimage.label(field < 0.0)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return np.asarray((labels == int(np.argmax(sizes))) & (labels > 0))


def _stands(body: Array, base: int) -> bool:
    """Tell whether the middle of the body lies over what it touches the support with."""
    voxels = np.argwhere(body)
    contact = voxels[voxels[:, 2] <= base + 1]
    return not len(voxels) or _holds(contact[:, :2], voxels[:, :2].mean(axis=0))


def _tied(field: Array, grid: Grid, radius_m: float, gap_m: float) -> tuple[Array, int]:
    """Draw a rod from each loose piece to the nearest of the body or of what is tied to it already."""
    labels, _ = ndimage.label(field < 0.0)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    main = int(np.argmax(sizes))
    loose = [int(piece) for piece in np.argsort(-sizes, kind="stable") if piece != main]
    pieces = {piece: np.argwhere(labels == piece) for piece in loose if sizes[piece] >= LEAST_PIECE_VOXELS}
    body = np.argwhere(labels == main)
    tied = 0
    while pieces:
        tree = cKDTree(body)
        gaps = {piece: tree.query(voxels) for piece, voxels in pieces.items()}
        nearest = min(gaps, key=lambda piece: (float(gaps[piece][0].min()), piece))
        distance, index = gaps[nearest]
        if float(distance.min()) * grid.voxel_m > gap_m:
            break
        at = int(np.argmin(distance))
        field = _rod(field, pieces[nearest][at], body[index[at]], radius_m, grid.voxel_m)
        body = np.concatenate([body, pieces.pop(nearest)])
        tied += 1
    return field, tied


def _let_down(field: Array, grid: Grid, base: int, radius_m: float) -> tuple[Array, int]:
    """Draw a rod straight down from every stump that ends above the support."""
    body = _body(field)
    top = int(np.argwhere(body)[:, 2].max())
    zone = body.copy()
    zone[:, :, base + int(STUMP_SHARE * (top - base)) :] = False
    stumps, count = ndimage.label(zone)
    lowered = 0
    for stump in range(1, count + 1):
        piece = np.argwhere(stumps == stump)
        foot = np.rint(piece[piece[:, 2] == piece[:, 2].min()].mean(axis=0)).astype(int)
        tall, wide = extent(piece)
        if foot[2] <= base + 1 or tall < max(LEAST_STUMP_SHARE * (top - base), wide):
            continue
        field = _rod(field, foot, np.array([foot[0], foot[1], 0]), radius_m, grid.voxel_m)
        lowered += 1
    return field, lowered


def _thickened(field: Array, grid: Grid, radius_m: float) -> tuple[Array, int]:
    """Draw rods along the middles of legs that came out thinner than legs are: depth fades at their edges."""
    parts, count = ndimage.label(_thin_columns(_body(field), THIN * radius_m / grid.voxel_m), np.ones((3, 3, 3)))
    thickened = 0
    for part in range(1, count + 1):
        voxels = np.argwhere(parts == part)
        if np.ptp(voxels[:, 2]) * grid.voxel_m < LEG_LENGTH_M:
            continue
        thick = field
        for start, end in itertools.pairwise(_middles(voxels, step=max(2, round(radius_m / grid.voxel_m)))):
            thick = _rod(thick, start, end, radius_m, grid.voxel_m)
        if np.count_nonzero(thick < 0.0) - np.count_nonzero(field < 0.0) > LEAST_GAIN * len(voxels):
            field, thickened = thick, thickened + 1
    return field, thickened


def _thin_columns(body: Array, radius: float) -> Array:
    """Return the voxels whose patch of their layer is smaller than a disc of a radius [voxels], bool [x, y, z]."""
    flat = np.zeros((3, 3, 3), dtype=bool)
    flat[:, :, 1] = True
    patches, count = ndimage.label(body, flat)
    small = np.bincount(patches.ravel(), minlength=count + 1) < np.pi * radius**2
    small[0] = False
    return np.asarray(small[patches])


def _middles(voxels: Array, *, step: int) -> list[Array]:
    """Return the middles [3] of an upright slender part's voxels [n, 3] every few layers, from foot to top."""
    number = (voxels[:, 2] - voxels[:, 2].min()) // step
    return [np.rint(voxels[number == k].mean(axis=0)).astype(int) for k in np.unique(number)]


def _holds(contact: Array, center: Array) -> bool:
    """Tell whether a point [2] lies over the convex hull of the contact voxels [n, 2]."""
    if len(contact) < 3:
        return False
    try:
        hull = ConvexHull(contact)
    except QhullError:
        return False
    return bool((hull.equations[:, :2] @ center + hull.equations[:, 2] <= 0.0).all())


def _rod(field: Array, start: Array, end: Array, radius_m: float, voxel_m: float) -> Array:
    """Unite the field with a round-ended rod between two voxels."""
    reach = int(np.ceil(radius_m / voxel_m)) + 2
    low = np.maximum(np.minimum(start, end) - reach, 0)
    high = np.minimum(np.maximum(start, end) + reach + 1, field.shape)
    box = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    points = np.stack(np.meshgrid(*[np.arange(s.start, s.stop) for s in box], indexing="ij"), axis=-1).astype(float)
    along = (end - start).astype(float)
    share = np.clip((points - start) @ along / max(float(along @ along), 1e-9), 0.0, 1.0)
    distance = np.linalg.norm(points - start - share[..., None] * along, axis=-1) * voxel_m - radius_m
    out = field.copy()
    out[box] = np.minimum(out[box], distance.astype(np.float32))
    return out
