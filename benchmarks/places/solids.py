"""Solids of meshes as voxels, also of meshes that are open, and how far two of them agree.

A voxel is inside where the winding number of the mesh about its centre is at least a half, taken along the six axis
directions: a closed mesh gives 0 or 1, and an open one, such as fused depth without an underside, is closed by what
surrounds the voxel on most sides. Cavities that are open, those of bowls and mugs, are filled (in slices along each
axis), because a wall of 3 mm that is 2 mm off would count as no overlap; volume is measured on its own. A wall thinner
than a voxel closes a cavity all the same: every voxel that the surface touches is part of it.
"""

from __future__ import annotations

from typing import Final

import numba
import numpy as np
from scipy import ndimage

from cousins.geometry import Array
from cousins.meshes import Mesh

MIN_VOXEL_M: Final = 0.0015
"""Smallest voxel [m]: less than the noise of any sensor here."""
MAX_VOXEL_M: Final = 0.02
"""Largest voxel [m]."""
VOXELS_ACROSS: Final = 8.0
"""Voxels along the shortest side of the true object."""
MAX_CELLS: Final = 6_000_000
"""Most voxels of a grid; a longer object has larger ones."""


def voxel_size_m(mesh: Mesh) -> float:
    """Return the voxel [m] at which a true object is compared."""
    sides = np.ptp(mesh.vertices, axis=0)
    fine = float(np.clip(sides.min() / VOXELS_ACROSS, MIN_VOXEL_M, MAX_VOXEL_M))
    return max(fine, float(np.prod(sides + 4.0 * fine) / MAX_CELLS) ** (1.0 / 3.0))


def iou(first: Mesh, second: Mesh, *, voxel_m: float) -> float:
    """Return the intersection over union of the solids of two meshes in one frame."""
    low = np.minimum(first.vertices.min(axis=0), second.vertices.min(axis=0)) - 1.5 * voxel_m
    high = np.maximum(first.vertices.max(axis=0), second.vertices.max(axis=0)) + 1.5 * voxel_m
    if float(np.prod(high - low)) > MAX_CELLS * voxel_m**3:
        voxel_m = float((np.prod(high - low) / MAX_CELLS) ** (1.0 / 3.0))
    shape = np.ceil((high - low) / voxel_m).astype(int)
    a, b = (solid(mesh, low, shape, voxel_m=voxel_m) for mesh in (first, second))
    either = int(np.count_nonzero(a | b))
    return int(np.count_nonzero(a & b)) / either if either else 0.0


def solid(mesh: Mesh, low: Array, shape: Array, *, voxel_m: float) -> Array:
    """Return the voxels inside a mesh, its cavities filled, bool `shape` [3] from a corner `low` [3]."""
    winding = np.zeros(tuple(shape), dtype=np.float32)
    for axis in range(3):
        order = [(axis + 1) % 3, (axis + 2) % 3, axis]
        corners = ((mesh.vertices[:, order] - low[order]) / voxel_m)[mesh.faces]
        steps = np.zeros(tuple(shape[order] + np.array([0, 0, 1])), dtype=np.int32)
        _cross(np.ascontiguousarray(corners), steps)
        above = steps.sum(axis=2, keepdims=True) - np.cumsum(steps, axis=2)
        below = -np.cumsum(steps, axis=2)
        winding += np.transpose((above + below)[:, :, :-1], np.argsort(order)) / 6.0
    inside = winding >= 0.5 - 1e-6
    cells = np.floor((mesh.surface_points(0.5 * voxel_m) - low) / voxel_m).astype(int)
    cells = cells[((cells >= 0) & (cells < shape)).all(axis=1)]
    is_wall = inside.copy()
    is_wall[tuple(cells.T)] = True
    is_enclosed = filled(is_wall)
    # Voxels that the surface touches with their middle outside count within a cavity, not around the object.
    outer = ndimage.binary_dilation(~is_enclosed, np.ones((3, 3, 3)), border_value=1)
    return inside | (is_enclosed & ~(is_wall & outer))


def filled(is_wall: Array) -> Array:
    """Return voxels, bool [nx, ny, nz], with the holes of every slice along each axis filled."""
    total = is_wall.copy()
    plus = ndimage.generate_binary_structure(2, 1)
    for axis in range(3):
        structure = np.zeros((3, 3, 3), dtype=bool)
        structure[tuple(1 if k == axis else slice(None) for k in range(3))] = plus
        padding = [(0, 0) if k == axis else (1, 1) for k in range(3)]
        padded = np.pad(is_wall, padding)
        outside = np.zeros_like(padded)
        rim = [slice(None)] * 3
        for k in range(3):
            if k != axis:
                for end in (0, -1):
                    edge = list(rim)
                    edge[k] = end
                    outside[tuple(edge)] = True
        outside = ndimage.binary_propagation(outside & ~padded, structure=structure, mask=~padded)
        total |= ~outside[tuple(slice(None) if k == axis else slice(1, -1) for k in range(3))]
    return total


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def _cross(corners: Array, steps: Array) -> None:
    """Add to `steps` [nx, ny, nz + 1] the signed crossings of columns along z with triangles [m, 3, 3] in voxels.

    A crossing counts at the first voxel centre above it; columns run through voxel centres, a little off them so that
    none meets an edge exactly. Its sign is that of the outward normal's z.
    """
    off_x, off_y = 0.5 + 1.37e-4, 0.5 + 2.71e-4
    for triangle in range(len(corners)):
        ax, ay, az = corners[triangle, 0]
        bx, by, bz = corners[triangle, 1]
        cx, cy, cz = corners[triangle, 2]
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if area == 0.0:
            continue
        for i in range(
            max(0, int(np.ceil(min(ax, bx, cx) - off_x))),
            min(steps.shape[0], int(np.floor(max(ax, bx, cx) - off_x)) + 1),
        ):
            x = i + off_x
            for j in range(
                max(0, int(np.ceil(min(ay, by, cy) - off_y))),
                min(steps.shape[1], int(np.floor(max(ay, by, cy) - off_y)) + 1),
            ):
                y = j + off_y
                u = ((bx - x) * (cy - y) - (by - y) * (cx - x)) / area
                v = ((cx - x) * (ay - y) - (cy - y) * (ax - x)) / area
                if u < 0.0 or v < 0.0 or u + v > 1.0:
                    continue
                z = u * az + v * bz + (1.0 - u - v) * cz
                k = min(max(int(np.ceil(z - 0.5)), 0), steps.shape[2] - 1)
                steps[i, j, k] += 1 if area > 0.0 else -1
