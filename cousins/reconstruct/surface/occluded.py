"""Classify occluded space, which no view observed, as solid or empty.

Occluded space behind a measured surface may be the inside of a box or the air below a seat. The cheaper closure
decides: the boundary of the solid should be small (a minimal surface), and a boundary towards free space that no view
measured, though views look past it, counts more, for it would mostly have been seen. The binary problem is solved as
its convex total variation relaxation by the primal-dual method (Chambolle and Pock, 2011), whose thresholds are global
minima (Chan, Esedoglu and Nikolova, 2006).
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange
from scipy import ndimage

from cousins.geometry import Array
from cousins.reconstruct.surface.distance_field import MeasuredField, close_field

UNMEASURED_FREE_COST = 2.0
"""Cost of unmeasured boundary towards free space against unmeasured boundary within occluded space."""
ITERATIONS = 250
"""Number of primal-dual steps; the initial membrane solution is close already."""
STEP_SIZE = 0.28
"""Primal and dual step, below 1 / √12 as a 3-D gradient demands."""
UNKNOWN, FREE, SHELL = 0, 1, 2


def solid_share(measured: MeasuredField, *, shell_m: float, base: int) -> Array:
    """Return the occupancy of each voxel, 0 to 1, float32 [x, y, z]; measured free space is 0.

    `shell_m` is how far behind a measured surface is solid for sure [m]; `base` is the first voxel layer above the
    support, below which the layer above is continued.
    """
    state = _voxel_states(measured.distance_m[:, :, base:], measured.trust[:, :, base:], shell_m)
    coarse = _pool(state)
    seed = np.where(coarse == SHELL, -1.0, 1.0).astype(np.float32)
    start = (close_field(seed, (coarse != UNKNOWN).astype(np.float32)) < 0.0).astype(np.float32)
    share = _behind_shell(_minimal_closure(coarse, start), coarse)
    fine = share.repeat(2, axis=0).repeat(2, axis=1).repeat(2, axis=2)[tuple(slice(n) for n in state.shape)]
    fine = np.where(state == FREE, 0.0, np.where(state == SHELL, 1.0, fine)).astype(np.float32)
    return np.concatenate([np.repeat(fine[:, :, :1], base, axis=2), fine], axis=2)


def _voxel_states(distance_m: Array, trust: Array, shell_m: float) -> Array:
    """Return the state of every voxel: unknown, free or shell, uint8 [x, y, z]."""
    state = np.full(distance_m.shape, UNKNOWN, dtype=np.uint8)
    is_measured = trust > 0.05
    state[is_measured & (distance_m > 0.0)] = FREE
    state[is_measured & (distance_m <= 0.0) & (distance_m > -shell_m)] = SHELL
    for border in (np.s_[0], np.s_[-1], np.s_[:, 0], np.s_[:, -1], np.s_[:, :, -1]):
        state[border] = FREE
    return state


def _pool(state: Array) -> Array:
    """Halve the resolution: shell wins over free, free over unknown."""
    pad = [(0, n % 2) for n in state.shape]
    padded = np.pad(state, pad, mode="edge")
    shape = padded.shape
    blocks = padded.reshape(shape[0] // 2, 2, shape[1] // 2, 2, shape[2] // 2, 2)
    return np.asarray(blocks.max(axis=(1, 3, 5)))


def _minimal_closure(state: Array, start: Array) -> Array:
    """Return the relaxed minimal closure, 0 to 1, float32 [x, y, z]."""
    free, unknown = state == FREE, state == UNKNOWN
    cost = np.ones(state.shape, dtype=np.float32)
    cost[_has_neighbour_in(free) & unknown] = UNMEASURED_FREE_COST
    cost[_has_neighbour_in(unknown) & free] = UNMEASURED_FREE_COST
    share = np.where(free, 0.0, np.where(state == SHELL, 1.0, start)).astype(np.float32)
    ahead = share.copy()
    dual = np.zeros((3, *state.shape), dtype=np.float32)
    for _ in range(ITERATIONS):
        _ascend(dual, ahead, cost, STEP_SIZE)
        _descend(share, ahead, dual, unknown, STEP_SIZE)
    return share


def _behind_shell(share: Array, state: Array) -> Array:
    """Return the occupancy with shell blocks beside unknown voxels set to that of the next unknown block.

    A block is shell as soon as one of its voxels is, so without this walls would end at the borders of blocks: up to
    two voxels too thick, in steps.
    """
    if not (state == UNKNOWN).any():
        return share
    away, nearest = ndimage.distance_transform_edt(state != UNKNOWN, return_indices=True)
    return np.where((state == SHELL) & (away < 2.0), share[tuple(nearest)], share).astype(np.float32)


def _has_neighbour_in(mask: Array) -> Array:
    """Return which voxels have a face neighbour in the mask."""
    out = np.zeros_like(mask)
    for axis in range(3):
        lower, upper = [slice(None)] * 3, [slice(None)] * 3
        lower[axis], upper[axis] = slice(None, -1), slice(1, None)
        out[tuple(lower)] |= mask[tuple(upper)]
        out[tuple(upper)] |= mask[tuple(lower)]
    return out


@njit(cache=True, parallel=True)
def _ascend(dual: Array, ahead: Array, cost: Array, step: float) -> None:
    """Move the dual field along the gradient and clip its length to the cost."""
    nx, ny, nz = ahead.shape
    for i in prange(nx):
        for j in range(ny):
            for k in range(nz):
                value = ahead[i, j, k]
                a = dual[0, i, j, k] + step * (ahead[min(i + 1, nx - 1), j, k] - value)
                b = dual[1, i, j, k] + step * (ahead[i, min(j + 1, ny - 1), k] - value)
                c = dual[2, i, j, k] + step * (ahead[i, j, min(k + 1, nz - 1)] - value)
                shrink = max(1.0, np.sqrt(a * a + b * b + c * c) / cost[i, j, k])
                dual[0, i, j, k] = a / shrink
                dual[1, i, j, k] = b / shrink
                dual[2, i, j, k] = c / shrink


@njit(cache=True, parallel=True)
def _descend(share: Array, ahead: Array, dual: Array, unknown: Array, step: float) -> None:
    """Move the unknown shares along the divergence of the dual field, and look ahead."""
    nx, ny, nz = share.shape
    for i in prange(nx):
        for j in range(ny):
            for k in range(nz):
                if not unknown[i, j, k]:
                    continue
                flow = dual[0, i, j, k] + dual[1, i, j, k] + dual[2, i, j, k]
                if i > 0:
                    flow -= dual[0, i - 1, j, k]
                if j > 0:
                    flow -= dual[1, i, j - 1, k]
                if k > 0:
                    flow -= dual[2, i, j, k - 1]
                old = share[i, j, k]
                new = min(1.0, max(0.0, old + step * flow))
                share[i, j, k] = new
                ahead[i, j, k] = 2.0 * new - old
