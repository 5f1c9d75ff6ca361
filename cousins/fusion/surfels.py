"""Oriented points of a depth image, one per two pixels: depth as measured, normal from a fitted plane.

Inverse depth is linear in pixel coordinates on a plane, 1/z = n · ray, so fitting a linear function to the
inverse depth of a window gives the plane without bias from perspective. Poses are optimised on depth as
measured: fitted depth has less noise but rounds off edges and small curves, differently in every view
(with exact depth that alone moved poses by 1.4 mm; measured depth by 0.1 mm).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numba import njit

from cousins.capture.captures import Frame
from cousins.geometry import Array, Intrinsics

SurfelImage: TypeAlias = tuple[Array, Array, tuple[float, float, float, float], tuple[float, float], float]
"""Depth [h, w], normals [h, w, 3], fx, fy, cx, cy, noise and range bias of a frame's surfels."""
SPACING_PX = 2
"""Distance between neighbouring surfels [px]."""
WINDOW_RADIUS_PX = 3
"""Half the window that the plane of a surfel is fitted to [px]: 7×7 pixels, 4 cm wide at a range of 1.2 m."""
MIN_PIXELS = 30
"""Fewest pixels of one surface in the 49 of a window."""
MAX_RESIDUAL_SIGMAS = 2.5
"""Largest deviation from the plane, in σ of a pixel: more is an edge or a curve."""
MIN_INCIDENCE_COS = 0.5
"""Surfaces seen more obliquely than 60° are left out: there noise moves a point mostly along the surface, past
edges and onto other surfaces, which appears as a range bias of about -1 mm."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Surfels:
    """The surfels of one frame as images; variants of depth and bias share the other images."""

    depth_m: Array
    """Planar depth [m], 0 = none, float32 [h, w]."""
    normals: Array
    """Unit normals towards the camera, in the camera frame, float32 [h, w, 3]."""
    smooth_m: Array
    """Depth of the fitted planes [m], float32 [h, w]: less noise, but it rounds off edges and small curves."""
    pixels: Array
    """Row and column of each surfel, in row order, int16 [n, 2]."""
    camera: Intrinsics
    """Camera of the surfel image."""
    noise: tuple[float, float]
    """Noise of a pixel at zero range [m] and its growth per metre."""
    bias_m: float = 0.0
    """Range bias that is subtracted from the depth along the rays where it is used [m]."""

    @property
    def image(self) -> SurfelImage:
        """The images as the kernels take them."""
        camera = self.camera
        return self.depth_m, self.normals, (camera.fx, camera.fy, camera.cx, camera.cy), self.noise, self.bias_m

    def without_bias(self, bias_m: float) -> Surfels:
        """Return the surfels moved towards the camera by `bias_m` along their rays [m]."""
        return replace(self, bias_m=bias_m)


def fit_surfels(
    frame: Frame, *, sigma_m: float, sigma_per_m: float, depth_limits_m: tuple[float, float], min_confidence: int
) -> Surfels:
    """Return surfels fitted to a frame's depth within the limits [m] and of at least `min_confidence`."""
    camera = frame.depth_camera
    height, width = -(-camera.height // SPACING_PX), -(-camera.width // SPACING_PX)
    depth = np.where(
        (frame.confidence >= min_confidence)
        & (frame.depth_m > depth_limits_m[0])
        & (frame.depth_m < depth_limits_m[1]),
        frame.depth_m,
        np.float32(0.0),
    ).astype(np.float32)
    plane = np.zeros((height, width), dtype=np.float32)
    smooth = np.zeros((height, width), dtype=np.float32)
    normals = np.zeros((height, width, 3), dtype=np.float32)
    noise = (sigma_m, sigma_per_m)
    _fit_planes(depth, (camera.fx, camera.fy, camera.cx, camera.cy), noise, plane, normals, smooth)
    small = Intrinsics(
        width=width,
        height=height,
        fx=camera.fx / SPACING_PX,
        fy=camera.fy / SPACING_PX,
        cx=camera.cx / SPACING_PX,
        cy=camera.cy / SPACING_PX,
    )
    pixels = np.argwhere(plane > 0.0).astype(np.int16)
    return Surfels(depth_m=plane, normals=normals, smooth_m=smooth, pixels=pixels, camera=small, noise=noise)


def with_smoothed_depth(surfels: Surfels) -> Surfels:
    """Return the surfels at the depth of their fitted planes."""
    return replace(surfels, depth_m=surfels.smooth_m)


@njit(cache=True, nogil=True, error_model="numpy")
def _fit_planes(
    depth: Array,
    camera: tuple[float, float, float, float],
    noise: tuple[float, float],
    plane: Array,
    normals: Array,
    smooth: Array,
) -> None:
    """Write depth as measured and fitted [h, w] and normals [h, w, 3] by least squares of inverse depth by window."""
    fx, fy, cx, cy = camera
    height, width = depth.shape
    for row in range(plane.shape[0]):
        v = row * SPACING_PX
        for column in range(plane.shape[1]):
            u = column * SPACING_PX
            z = np.float64(depth[v, u])
            if not z > 0.0 or not (
                WINDOW_RADIUS_PX <= v < height - WINDOW_RADIUS_PX and WINDOW_RADIUS_PX <= u < width - WINDOW_RADIUS_PX
            ):
                continue
            sigma = noise[0] + noise[1] * z
            jump = 4.0 * MAX_RESIDUAL_SIGMAS * sigma / (z * z)
            a, b, c, rms = _fit_window(depth, v, u, 1.0 / z, jump)
            if not a > 0.0 or rms > MAX_RESIDUAL_SIGMAS * sigma * a * a:
                continue
            nx, ny, nz = b * fx, c * fy, a - b * (u - cx) - c * (v - cy)
            length = np.sqrt(nx * nx + ny * ny + nz * nz)
            rx, ry = (u - cx) / fx, (v - cy) / fy
            if a / (length * np.sqrt(1.0 + rx * rx + ry * ry)) < MIN_INCIDENCE_COS:
                continue
            plane[row, column] = z
            smooth[row, column] = 1.0 / a
            normals[row, column, 0] = -nx / length
            normals[row, column, 1] = -ny / length
            normals[row, column, 2] = -nz / length


@njit(cache=True, nogil=True, inline="always", error_model="numpy")
def _fit_window(depth: Array, v: int, u: int, middle: float, jump: float) -> tuple[float, float, float, float]:
    """Return inverse depth, its gradients by pixel and the deviation [1/m]; inverse depth 0 where there is no plane."""
    n = sx = sy = sxx = sxy = syy = sq = sxq = syq = sqq = 0.0
    for y in range(-WINDOW_RADIUS_PX, WINDOW_RADIUS_PX + 1):
        for x in range(-WINDOW_RADIUS_PX, WINDOW_RADIUS_PX + 1):
            z = np.float64(depth[v + y, u + x])
            if not z > 0.0:
                continue
            q = 1.0 / z - middle
            if abs(q) > jump:
                continue
            n += 1.0
            sx += x
            sy += y
            sxx += x * x
            sxy += x * y
            syy += y * y
            sq += q
            sxq += x * q
            syq += y * q
            sqq += q * q
    if n < MIN_PIXELS:
        return 0.0, 0.0, 0.0, 0.0
    cxx, cxy, cyy = sxx - sx * sx / n, sxy - sx * sy / n, syy - sy * sy / n
    cxq, cyq = sxq - sx * sq / n, syq - sy * sq / n
    det = cxx * cyy - cxy * cxy
    b, c = (cxq * cyy - cyq * cxy) / det, (cyq * cxx - cxq * cxy) / det
    a = (sq - b * sx - c * sy) / n
    rest = sqq - sq * sq / n - b * cxq - c * cyq
    return a + middle, b, c, np.sqrt(max(rest, 0.0) / n)
