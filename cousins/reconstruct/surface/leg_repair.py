"""Repair thin legs that depth loses: loose pieces are connected with the body, and stumps extended to the support.

A phone's depth fades along a thin leg into the floor behind it. Pieces of a leg that were measured but are
disconnected, and legs that end in the air while the object could not stand, must continue: something supports the
object.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.spatial import ConvexHull, QhullError, cKDTree

from cousins.geometry import Array
from cousins.reconstruct.surface.leg_symmetry import leg_extent, mirror_legs
from cousins.reconstruct.surface.view_evidence import OTHER_BIN, Evidence, VoxelGrid

MAX_WEAK_DISTANCE_VOXELS = 0.9
"""Largest distance outside at which a voxel of a thin part counts as solid [voxels]."""
MIN_SURFACE_VIEWS_PER_FREE_VIEW = 3.0
"""Smallest ratio of views that show a thin part's surface to views that look through it."""
MIN_LOOSE_VOXELS = 8
"""Fewest solid voxels of a thin part."""
MIN_PIECE_VOXELS = 20
"""Fewest voxels of a loose piece; fewer are noise."""
MAX_GAP_M = 0.02
"""Largest gap between a loose piece and the body [m]: less than a phone's LiDAR resolves."""
MAX_UNSTABLE_GAP_M = 0.08
"""The same for a body that would fall over [m]: about the length of a leg that depth loses."""
MAX_STUMP_END_SHARE = 0.35
"""Fraction of the object's height below which a stump must end."""
MIN_VOLUME_GAIN = 0.1
"""Smallest relative gain in volume for which a leg is thickened."""
MIN_STUMP_HEIGHT_SHARE = 0.1
"""Smallest height of a stump as a fraction of the object's height; it must also be taller than wide."""
LEG_RADIUS_M = 0.008
"""Radius of rods that connect and extend legs, and smallest radius of legs [m], if voxels are not coarser."""
MIN_LEG_LENGTH_M = 0.06
"""Smallest height over which a part must be thin to be a leg [m]."""
THIN_LEG_FACTOR = 1.5
"""Largest radius of a thin part, relative to the smallest radius: some layers of a fading leg are complete."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class RepairedField:
    """A distance field whose object is connected and stable."""

    field: Array
    """Signed distance [m], float32 [x, y, z]."""
    completions: tuple[str, ...]
    """What was added: `loose pieces tied`, `legs let down`, `legs mirrored`, `thin legs thickened`."""


def rejoin_thin_parts(field: Array, evidence: Evidence, grid: VoxelGrid) -> Array:
    """Return the field [x, y, z] with thin parts reconnected to the body through voxels that nearly every view shows.

    A rod as thin as a voxel or two breaks where noise lifts its distance just above zero; there, a voxel counts as
    solid up to `MAX_WEAK_DISTANCE_VOXELS` of a voxel outside if the views that show the surface far outnumber those
    that look through and those that see something else.
    """
    inside = field < 0.0
    body = largest_component(field)
    weak = (field < MAX_WEAK_DISTANCE_VOXELS * grid.voxel_m) & (
        evidence.surface_views > MIN_SURFACE_VIEWS_PER_FREE_VIEW * evidence.free_views
    )
    weak &= evidence.weight[:OTHER_BIN].sum(axis=0) > MIN_SURFACE_VIEWS_PER_FREE_VIEW * evidence.weight[OTHER_BIN]
    around = ndimage.binary_dilation(body)
    parts, count = ndimage.label((weak | inside) & ~around, np.ones((3, 3, 3)))
    loose = np.bincount(parts[inside & ~body & ~around], minlength=count + 1)
    touching = np.unique(parts[ndimage.binary_dilation(around, np.ones((3, 3, 3)), iterations=2) & (parts > 0)])
    kept_parts = [part for part in touching if loose[part] >= MIN_LOOSE_VOXELS]
    part = np.isin(parts, kept_parts)
    joint = around & ~body & ndimage.binary_dilation(part, np.ones((3, 3, 3)), iterations=2) & (weak | part)
    return np.where(part | joint, np.minimum(field, -0.3 * grid.voxel_m), field).astype(np.float32)


def repair_legs(field: Array, free_views: Array, grid: VoxelGrid, *, base_m: float) -> RepairedField:
    """Connect loose pieces with the body; if it would fall over, also farther ones, mirror legs and extend stumps.

    `field` is the signed distance [m] and `free_views` the number of views that look past each voxel, both float32
    [x, y, z].
    """
    base = int(np.searchsorted(grid.centers_m(2), base_m))
    thin = 1.3 * grid.voxel_m
    field, tied = _tie_loose_pieces(field, grid, thin, MAX_GAP_M)
    if _is_stable(largest_component(field), base):
        return RepairedField(field=field, completions=("loose pieces tied",) if tied else ())
    radius = max(LEG_RADIUS_M, thin)
    field, more = _tie_loose_pieces(field, grid, radius, MAX_UNSTABLE_GAP_M)
    tied += more
    field, lowered = _extend_stumps(field, grid, base, radius)
    field, mirrored = mirror_legs(field, largest_component(field), free_views, voxel_m=grid.voxel_m)
    if mirrored:
        field, more = _extend_stumps(field, grid, base, radius)
        lowered += more
    field, thickened = _thicken_legs(field, grid, radius)
    added = (
        ("loose pieces tied", tied),
        ("legs let down", lowered),
        ("legs mirrored", mirrored),
        ("thin legs thickened", thickened),
    )
    return RepairedField(field=field, completions=tuple(name for name, count in added if count))


def largest_component(field: Array) -> Array:
    """Return the largest connected component, bool [x, y, z]; all False where nothing is solid."""
    labels, _ = ndimage.label(field < 0.0)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return np.asarray((labels == int(np.argmax(sizes))) & (labels > 0))


def _is_stable(body: Array, base: int) -> bool:
    """Return whether the body is statically stable: its middle lies over the hull of its contact with the support."""
    voxels = np.argwhere(body)
    contact = voxels[voxels[:, 2] <= base + 1]
    return not len(voxels) or _is_over_hull(contact[:, :2], voxels[:, :2].mean(axis=0))


def _tie_loose_pieces(field: Array, grid: VoxelGrid, radius_m: float, gap_m: float) -> tuple[Array, int]:
    """Add a rod from each loose piece to the nearest voxel of the body or of pieces connected with it."""
    labels, _ = ndimage.label(field < 0.0)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    main = int(np.argmax(sizes))
    loose = [int(piece) for piece in np.argsort(-sizes, kind="stable") if piece != main]
    pieces = {piece: np.argwhere(labels == piece) for piece in loose if sizes[piece] >= MIN_PIECE_VOXELS}
    body = np.argwhere(labels == main)
    tied = 0
    while pieces:
        tree = cKDTree(body)
        gaps = {piece: tree.query(voxels) for piece, voxels in pieces.items()}
        nearest = min(gaps, key=lambda piece: (float(gaps[piece][0].min()), piece))
        distance, index = gaps[nearest]
        if float(distance.min()) * grid.voxel_m > gap_m:
            break
        closest = int(np.argmin(distance))
        field = _add_rod(field, pieces[nearest][closest], body[index[closest]], radius_m, grid.voxel_m)
        body = np.concatenate([body, pieces.pop(nearest)])
        tied += 1
    return field, tied


def _extend_stumps(field: Array, grid: VoxelGrid, base: int, radius_m: float) -> tuple[Array, int]:
    """Add a vertical rod below every stump that ends above the support."""
    body = largest_component(field)
    top = int(np.argwhere(body)[:, 2].max())
    zone = body.copy()
    zone[:, :, base + int(MAX_STUMP_END_SHARE * (top - base)) :] = False
    stumps, count = ndimage.label(zone)
    lowered = 0
    for stump in range(1, count + 1):
        piece = np.argwhere(stumps == stump)
        foot = np.rint(piece[piece[:, 2] == piece[:, 2].min()].mean(axis=0)).astype(int)
        tall, wide = leg_extent(piece)
        if foot[2] <= base + 1 or tall < max(MIN_STUMP_HEIGHT_SHARE * (top - base), wide):
            continue
        field = _add_rod(field, foot, np.array([foot[0], foot[1], 0]), radius_m, grid.voxel_m)
        lowered += 1
    return field, lowered


def _thicken_legs(field: Array, grid: VoxelGrid, radius_m: float) -> tuple[Array, int]:
    """Add rods along the centre lines of legs that are too thin: depth fades at their edges."""
    parts, count = ndimage.label(
        _thin_columns(largest_component(field), THIN_LEG_FACTOR * radius_m / grid.voxel_m), np.ones((3, 3, 3))
    )
    thickened = 0
    for part in range(1, count + 1):
        voxels = np.argwhere(parts == part)
        if np.ptp(voxels[:, 2]) * grid.voxel_m < MIN_LEG_LENGTH_M:
            continue
        thick = field
        for start, end in itertools.pairwise(_layer_centers(voxels, step=max(2, round(radius_m / grid.voxel_m)))):
            thick = _add_rod(thick, start, end, radius_m, grid.voxel_m)
        if np.count_nonzero(thick < 0.0) - np.count_nonzero(field < 0.0) > MIN_VOLUME_GAIN * len(voxels):
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


def _layer_centers(voxels: Array, *, step: int) -> list[Array]:
    """Return the middles [3] of an upright slender part's voxels [n, 3] every few layers, from foot to top."""
    number = (voxels[:, 2] - voxels[:, 2].min()) // step
    return [np.rint(voxels[number == k].mean(axis=0)).astype(int) for k in np.unique(number)]


def _is_over_hull(contact: Array, center: Array) -> bool:
    """Return whether a point [2] lies over the convex hull of the contact voxels [n, 2]."""
    if len(contact) < 3:
        return False
    try:
        hull = ConvexHull(contact)
    except QhullError:
        return False
    return bool((hull.equations[:, :2] @ center + hull.equations[:, 2] <= 0.0).all())


def _add_rod(field: Array, start: Array, end: Array, radius_m: float, voxel_m: float) -> Array:
    """Return the union of the field with a capsule between two voxels [3]."""
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
