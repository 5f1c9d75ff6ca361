"""Accumulate the evidence of every view about every voxel around one object.

A plain running average of signed distances erases thin parts: behind a tube the front views say "far inside" where the
back views say "just outside". So distances are averaged separately by the direction that the surface faces (six
bins along ± x, y, z; the squared components of the unit normal sum to one and share each sample between them, the idea
of directional signed distances by Splietker and Behnke, 2019), and views that look past a voxel are counted separately.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit, prange

from cousins.capture.captures import Frame
from cousins.geometry import Array, invert
from cousins.reconstruct.surface.depth_smoothing import refine_depth, small_holes, smooth_depth

BINS = 7
"""Six bins for the object's own surface by its normal (+x, -x, +y, -y, +z, -z), one for any other surface."""
OTHER_BIN = 6
"""Bin of surface that is not the object's."""
MIN_DEPTH_M = 0.05
"""Smallest depth of a voxel that is updated [m]."""
NORMAL_RADIUS_PX = 2
"""Half the width of the window to which the plane at a pixel is fitted [px]."""
CONFIDENCE_WEIGHT = (0.05, 0.3, 1.0)
"""Weight of low, medium and high confidence: ARKit's classes stand for roughly 1 : 2 : 4 in error."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class VoxelGrid:
    """Axis-aligned voxel centres in the world frame."""

    origin: Array
    """Centre of voxel (0, 0, 0) in the world [m], float64 [3]."""
    voxel_m: float
    """Edge length [m]."""
    shape: tuple[int, int, int]
    """Voxels along x, y, z."""

    def centers_m(self, axis: int) -> Array:
        """Return the voxel centres along one axis [m]."""
        return np.asarray(self.origin[axis] + self.voxel_m * np.arange(self.shape[axis]))


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class DepthObservation:
    """A window of one frame's depth with weights, normals and object mask, as the voxel integration needs it."""

    camera_from_world: Array
    """Pose, float64 [4, 4]."""
    pinhole: Array
    """fx, fy, cx, cy of the depth image [px], float64 [4]."""
    corner: tuple[int, int]
    """First row and column of the window in the depth image [px]; the images below are those of the window."""
    depth_m: Array
    """Planar depth [m], float32 [h, w], 0 = unknown."""
    weight: Array
    """Trust in the depth (inverse variance, confidence, incidence), float32 [h, w]; 0 = unusable."""
    is_object: Array
    """True where the pixel shows the object, bool [h, w]."""
    normal: Array
    """World normal towards the camera, and fourth its part along the ray of depth 1; float32 [h, w, 4], 0 = unknown."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Evidence:
    """Sums over all views; the first axis of `weight` and `moment` is the direction bin."""

    weight: Array
    """Sum of sample weights, float32 [7, x, y, z]."""
    moment: Array
    """Sum of weight times signed distance [m], positive in front, float32 [7, x, y, z]."""
    free_views: Array
    """Number of views that look past the voxel and see something well behind it, float32 [x, y, z]."""
    surface_views: Array
    """Number of views that see the object's surface at the voxel or close to it, float32 [x, y, z]."""


def noise_m(depth_m: Array | float) -> Array:
    """Return one standard deviation [m] of a LiDAR phone's planar depth: 2 mm + 0.5 % of range."""
    return np.asarray(0.002 + 0.005 * np.asarray(depth_m))


def prepare_observation(
    frame: Frame, mask: Array | None, window: tuple[slice, slice] | None = None, *, refined: int = 0
) -> DepthObservation:
    """Return a window of one frame prepared for integration, without one the whole frame.

    `mask` bool [h, w] marks the object's pixels in the whole frame, None for none. Where `refined` is not 0, their
    depth is smoothed within the image, and each pixel becomes `refined` by `refined`.
    """
    camera = frame.depth_camera
    rows, columns = window or (slice(0, camera.height), slice(0, camera.width))
    # The plane around a pixel needs its neighbours, so a margin around the window is prepared too and then cut off.
    top, left = max(rows.start - NORMAL_RADIUS_PX, 0), max(columns.start - NORMAL_RADIUS_PX, 0)
    wide = np.s_[top : rows.stop + NORMAL_RADIUS_PX, left : columns.stop + NORMAL_RADIUS_PX]
    measured = frame.depth_m[wide]
    depth = np.where(np.isfinite(measured) & (measured > 0.0), measured, 0.0).astype(np.float32)
    is_object = np.zeros(depth.shape, dtype=bool) if mask is None else np.array(mask[wide], dtype=bool)
    confidence = frame.confidence[rows, columns]
    pinhole = np.array([camera.fx, camera.fy, camera.cx, camera.cy])
    if refined:
        # One view cannot outvote pixels between two surfaces, which have the lowest confidence, nor specks of noise.
        specks = small_holes(is_object)
        is_object |= specks
        depth[is_object & ((frame.confidence[wide] < 1) | specks)] = 0.0
        if is_object.any():
            sensor_m = float(noise_m(np.median(depth[is_object])))
            depth = smooth_depth(depth, is_object, camera.fx, max_noise_m=sensor_m).astype(np.float32)
        depth, is_object = refine_depth(depth, is_object, refined)
        depth, confidence = depth.astype(np.float32), confidence.repeat(refined, axis=0).repeat(refined, axis=1)
        pinhole = refined * np.array([camera.fx, camera.fy, camera.cx + 0.5, camera.cy + 0.5]) - [0.0, 0.0, 0.5, 0.5]
        rows, columns = (slice(refined * side.start, refined * side.stop) for side in (rows, columns))
        top, left = refined * top, refined * left
    cut = np.s_[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
    normal, support = _normals(depth, is_object, pinhole, top, left)
    normal, support, depth, is_object = (
        np.ascontiguousarray(image[cut]) for image in (normal, support, depth, is_object)
    )
    rays = _rays(rows, columns, pinhole)
    facing = np.clip(-np.einsum("hwc,hwc->hw", normal, rays), 0.0, None)
    incidence = facing / np.linalg.norm(rays, axis=-1)
    trust = np.asarray(CONFIDENCE_WEIGHT, dtype=np.float32)[np.clip(confidence, 0, 2)]
    variance = (noise_m(depth) / 0.005) ** 2
    weight = np.where(support, trust * incidence / variance, 0.0)
    return DepthObservation(
        camera_from_world=invert(frame.world_from_camera),
        pinhole=pinhole,
        corner=(rows.start, columns.start),
        depth_m=depth,
        weight=weight.astype(np.float32),
        is_object=is_object,
        normal=np.concatenate(
            [normal @ frame.world_from_camera[:3, :3].T, facing[..., None]], axis=-1, dtype=np.float32
        ),
    )


def no_evidence(grid: VoxelGrid) -> Evidence:
    """Return the evidence of no view, to which `add_evidence` adds."""
    return Evidence(
        weight=np.zeros((BINS, *grid.shape), dtype=np.float32),
        moment=np.zeros((BINS, *grid.shape), dtype=np.float32),
        free_views=np.zeros(grid.shape, dtype=np.float32),
        surface_views=np.zeros(grid.shape, dtype=np.float32),
    )


def add_evidence(evidence: Evidence, view: DepthObservation, grid: VoxelGrid, *, truncation_m: float) -> None:
    """Add one view, whose window holds the grid, to the sums; independent of the number of threads."""
    _integrate(
        grid.centers_m(0),
        grid.centers_m(1),
        grid.centers_m(2),
        view.camera_from_world,
        view.pinhole,
        view.corner,
        view.depth_m,
        view.weight,
        view.is_object,
        view.normal,
        truncation_m,
        evidence.weight,
        evidence.moment,
        evidence.free_views,
        evidence.surface_views,
    )


def _rays(rows: slice, columns: slice, pinhole: Array) -> Array:
    """Return viewing rays of depth 1 in the camera frame for a window of the image, float64 [h, w, 3]."""
    u = (np.arange(columns.start, columns.stop) - pinhole[2]) / pinhole[0]
    v = (np.arange(rows.start, rows.stop) - pinhole[3]) / pinhole[1]
    return np.stack(np.broadcast_arrays(u[None, :], v[:, None], 1.0), axis=-1)


@njit(cache=True)
def _normals(depth: Array, is_object: Array, pinhole: Array, top: int, left: int) -> tuple[Array, Array]:
    """Fit a plane around every pixel of a window whose first row and column are `top` and `left`.

    Returns camera-frame normals [h, w, 3], and whether enough neighbours supported them.
    """
    height, width = depth.shape
    normal = np.zeros((height, width, 3), dtype=np.float32)
    support = np.zeros((height, width), dtype=np.bool_)
    for v in range(2, height - 2):
        for u in range(2, width - 2):
            if depth[v, u] <= 0.0:
                continue
            a, b, c = _fit_inverse_depth(depth, is_object, v, u, pinhole[0])
            nx, ny = a * pinhole[0], b * pinhole[1]
            nz = c - a * ((u + left) - pinhole[2]) - b * ((v + top) - pinhole[3])
            length = np.sqrt(nx * nx + ny * ny + nz * nz)
            if length > 0.0:
                normal[v, u, 0] = -nx / length
                normal[v, u, 1] = -ny / length
                normal[v, u, 2] = -nz / length
                support[v, u] = True
    return normal, support


@njit(cache=True)
def _fit_inverse_depth(depth: Array, is_object: Array, v: int, u: int, focal: float) -> tuple[float, float, float]:
    """Regress 1 / z = a Δu + b Δv + c on the 5×5 neighbours of the same surface; zeros where too few support it.

    Inverse depth is linear in the pixel over a plane. A pixel that fewer than eight neighbours support within three
    sigma lies between two surfaces (a flying pixel).
    """
    z = depth[v, u]
    reach = 3.0 * (0.002 + 0.005 * z) + 2.0 * z / focal
    n = sx = sy = sxx = sxy = syy = sq = sxq = syq = 0.0
    for dy in range(-2, 3):
        for dx in range(-2, 3):
            d = depth[v + dy, u + dx]
            if d <= 0.0 or is_object[v + dy, u + dx] != is_object[v, u] or abs(d - z) > reach:
                continue
            q = 1.0 / d
            n += 1.0
            sx += dx
            sy += dy
            sxx += dx * dx
            sxy += dx * dy
            syy += dy * dy
            sq += q
            sxq += dx * q
            syq += dy * q
    cxx, cxy, cyy = sxx - sx * sx / n, sxy - sx * sy / n, syy - sy * sy / n
    bx, by = sxq - sx * sq / n, syq - sy * sq / n
    det = cxx * cyy - cxy * cxy
    if n < 9.0 or det < 1e-9:
        return 0.0, 0.0, 0.0
    a, b = (cyy * bx - cxy * by) / det, (cxx * by - cxy * bx) / det
    return a, b, (sq - a * sx - b * sy) / n


@njit(cache=True, parallel=True)
def _integrate(
    xs: Array,
    ys: Array,
    zs: Array,
    pose: Array,
    pinhole: Array,
    corner: tuple[int, int],
    depth: Array,
    trust: Array,
    is_object: Array,
    normal: Array,
    truncation: float,
    weight: Array,
    moment: Array,
    free_views: Array,
    surface_views: Array,
) -> None:
    """Add one view to the sums of every voxel."""
    height, width = depth.shape
    for i in prange(xs.size):
        for j in range(ys.size):
            bx = pose[0, 0] * xs[i] + pose[0, 1] * ys[j] + pose[0, 3]
            by = pose[1, 0] * xs[i] + pose[1, 1] * ys[j] + pose[1, 3]
            bz = pose[2, 0] * xs[i] + pose[2, 1] * ys[j] + pose[2, 3]
            for k in range(zs.size):
                z = max(bz + pose[2, 2] * zs[k], 1e-3)
                u = int(np.floor((bx + pose[0, 2] * zs[k]) / z * pinhole[0] + pinhole[2] + 0.5)) - corner[1]
                v = int(np.floor((by + pose[1, 2] * zs[k]) / z * pinhole[1] + pinhole[3] + 0.5)) - corner[0]
                if z < MIN_DEPTH_M or u < 0 or v < 0 or u >= width or v >= height or trust[v, u] <= 0.0:
                    continue
                distance = (depth[v, u] - z) * normal[v, u, 3]
                if distance > truncation:
                    free_views[i, j, k] += 1.0
                    continue
                if distance < -truncation:
                    continue
                surface_views[i, j, k] += is_object[v, u]
                if is_object[v, u]:
                    _add_sample(weight, moment, i, j, k, normal[v, u], trust[v, u], distance)
                else:
                    weight[OTHER_BIN, i, j, k] += trust[v, u]
                    moment[OTHER_BIN, i, j, k] += trust[v, u] * distance


@njit(cache=True)
def _add_sample(
    weight: Array, moment: Array, i: int, j: int, k: int, normal: Array, trust: float, distance: float
) -> None:
    """Distribute one sample over the bins that its normal points into."""
    for axis in range(3):
        part = trust * normal[axis] * normal[axis]
        bin_index = 2 * axis + (normal[axis] < 0.0)
        weight[bin_index, i, j, k] += part
        moment[bin_index, i, j, k] += part * distance
