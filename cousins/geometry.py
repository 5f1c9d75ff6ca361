"""Rigid poses, pinhole cameras, and the conventions of the whole project.

SI units: metre, kilogram, second, radian. World: right-handed, z up, gravity along -z.
Camera axes are OpenCV's: x right, y down, z forward. Depth is planar z in metres, float32,
0 = unknown. An integer pixel coordinate is the *centre* of that pixel. A pose is a 4×4 float64
matrix named `target_from_source`, so adjacent names cancel:
`world_from_mug = world_from_table @ table_from_mug`. Quaternions are `quat_wxyz`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
"""Any numpy array; its shape and unit are stated in the docstring of the field or function."""


@dataclass(frozen=True, kw_only=True)
class Intrinsics:
    """A pinhole camera without distortion."""

    width: int
    """Image width [px]."""
    height: int
    """Image height [px]."""
    fx: float
    """Focal length along x [px]."""
    fy: float
    """Focal length along y [px]."""
    cx: float
    """Principal point x [px], 0 = centre of the leftmost pixel."""
    cy: float
    """Principal point y [px], 0 = centre of the topmost pixel."""

    @property
    def matrix(self) -> Array:
        """The 3×3 camera matrix."""
        return np.array([[self.fx, 0.0, self.cx], [0.0, self.fy, self.cy], [0.0, 0.0, 1.0]])

    def scaled(self, width: int, height: int) -> Intrinsics:
        """Return the same camera for an image of another size."""
        sx, sy = width / self.width, height / self.height
        return Intrinsics(
            width=width,
            height=height,
            fx=self.fx * sx,
            fy=self.fy * sy,
            cx=(self.cx + 0.5) * sx - 0.5,
            cy=(self.cy + 0.5) * sy - 0.5,
        )


def rigid(rotation: Array | None = None, translation: Array | None = None) -> Array:
    """Return a pose [4, 4] from a rotation [3, 3] and a translation [3] [m]; a missing part is the identity."""
    pose = np.eye(4)
    if rotation is not None:
        pose[:3, :3] = rotation
    if translation is not None:
        pose[:3, 3] = translation
    return pose


def invert(a_from_b: Array) -> Array:
    """Return the inverse `b_from_a` [4, 4] of a rigid pose `a_from_b` [4, 4]."""
    rotation = a_from_b[:3, :3].T
    return rigid(rotation, -rotation @ a_from_b[:3, 3])


def transform(a_from_b: Array, points_b: Array) -> Array:
    """Map points [..., 3] from frame b to frame a."""
    return np.asarray(points_b @ a_from_b[:3, :3].T + a_from_b[:3, 3])


def unproject(depth_m: Array, camera: Intrinsics) -> Array:
    """Return camera-frame points [h, w, 3] of a planar-z depth image [m]; depth 0 gives the origin."""
    u = (np.arange(camera.width) - camera.cx) / camera.fx
    v = (np.arange(camera.height) - camera.cy) / camera.fy
    z = np.asarray(depth_m, dtype=np.float64)
    return np.stack([z * u[None, :], z * v[:, None], z], axis=-1)


def unproject_pixels(depth_m: Array, rows: Array, columns: Array, camera: Intrinsics) -> Array:
    """Return the camera-frame points [n, 3] of some pixels of a planar-z depth image [h, w] [m]."""
    z = np.asarray(depth_m[rows, columns], dtype=np.float64)
    return np.stack([z * ((columns - camera.cx) / camera.fx), z * ((rows - camera.cy) / camera.fy), z], axis=-1)


def project(points_camera: Array, camera: Intrinsics) -> tuple[Array, Array]:
    """Return pixel coordinates [..., 2] and planar depth [...] [m] of camera-frame points [..., 3].

    Points with z ≤ 0 get pixel coordinates NaN.
    """
    z = points_camera[..., 2]
    safe = np.where(z > 0.0, z, np.nan)
    u = camera.fx * points_camera[..., 0] / safe + camera.cx
    v = camera.fy * points_camera[..., 1] / safe + camera.cy
    return np.stack([u, v], axis=-1), z


def rotation_about(axis: Array, angle_rad: float) -> Array:
    """Return the 3×3 rotation by `angle_rad` about `axis` [3] (Rodrigues' formula)."""
    x, y, z = np.asarray(axis, dtype=np.float64) / np.linalg.norm(axis)
    k = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    return np.asarray(np.eye(3) + np.sin(angle_rad) * k + (1.0 - np.cos(angle_rad)) * k @ k)


def rotation_angle_rad(rotation: Array) -> float:
    """Return the angle [rad] of a 3×3 rotation."""
    skew = rotation - rotation.T
    sine = 0.5 * np.linalg.norm([skew[2, 1], skew[0, 2], skew[1, 0]])
    return float(np.arctan2(sine, 0.5 * (np.trace(rotation) - 1.0)))


def quat_wxyz_from_rotation(rotation: Array) -> Array:
    """Return the unit quaternion [4], w ≥ 0, of a 3×3 rotation (largest-component method)."""
    (xx, xy, xz), (yx, yy, yz), (zx, zy, zz) = np.asarray(rotation, dtype=np.float64).tolist()
    candidates = [1.0 + xx + yy + zz, 1.0 + xx - yy - zz, 1.0 - xx + yy - zz, 1.0 - xx - yy + zz]
    largest = candidates.index(max(candidates))
    size = math.sqrt(0.25 * candidates[largest])
    a, b, c = zy - yz, xz - zx, yx - xy
    d, e, f = xy + yx, xz + zx, yz + zy
    rows = [[4 * size**2, a, b, c], [a, 4 * size**2, d, e], [b, d, 4 * size**2, f], [c, e, f, 4 * size**2]]
    quat = np.array(rows[largest]) / (4.0 * size)
    quat /= np.linalg.norm(quat)
    return quat if quat[0] >= 0.0 else -quat


def rotation_from_quat_wxyz(quat_wxyz: Array) -> Array:
    """Return the 3×3 rotation of a quaternion [4] of any positive length."""
    w, x, y, z = np.asarray(quat_wxyz, dtype=np.float64) / np.linalg.norm(quat_wxyz)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def look_at(eye: Array, target: Array, *, up: Array | None = None) -> Array:
    """Return `world_from_camera` of a camera at `eye` [3] that looks at `target` [3]."""
    forward = np.asarray(target, dtype=np.float64) - eye
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, np.array([0.0, 0.0, 1.0]) if up is None else up)
    if np.linalg.norm(right) < 1e-9:
        right = np.array([1.0, 0.0, 0.0])
    right /= np.linalg.norm(right)
    return rigid(np.stack([right, np.cross(forward, right), forward], axis=1), np.asarray(eye))
