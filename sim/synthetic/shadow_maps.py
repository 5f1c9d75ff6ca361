"""Soft shadows from shadow maps: the visible share of a lamp and of the sky at each pixel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit

from cousins.geometry import Array, Intrinsics, invert, look_at
from cousins.meshes import Mesh
from cousins.raster import Raster, ShadingData, render

LAMP_RAYS = 12
"""Number of light directions over a window-sized lamp."""
SKY_RAYS = 20
"""Number of light directions over the upper hemisphere."""
LAMP_HALF_ANGLE_RAD = np.deg2rad(9.0)
"""Apparent radius of the lamp: a 0.6 m window 2 m away."""
DISTANCE_M = 30.0
"""Distance of the map cameras, so large that rays are nearly parallel [m]."""
MAP_PX = 800
"""Size of one map [px]."""
DEPTH_BIAS_M = 0.003
"""A point is in shadow if it lies deeper than this behind the mapped surface [m]."""
NORMAL_OFFSET_M = 0.006
"""Offset of looked-up points along the normal, two map pixels, against self-shadowing [m]."""
AMBIENT_FLOOR = 0.35
"""Ambient visibility where no sky is visible: light reflected by the surroundings."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ShadowMaps:
    """Depth maps from many light directions."""

    matrices: Array
    """Maps world points to (u·z, v·z, z), float64 [k, 3, 4]."""
    depth_m: Array
    """Depth maps [m], float32 [k, n, n]; 0 where nothing is hit."""
    lamp: Array
    """Whether a map belongs to the lamp, else to the sky, bool [k]."""


def shadow_maps(
    meshes: Sequence[Mesh],
    direction: Array,
    centre: Array,
    radius_m: float,
    *,
    lamp_rays: int = LAMP_RAYS,
    sky_rays: int = SKY_RAYS,
    size_px: int = MAP_PX,
) -> ShadowMaps:
    """Return the shadow maps of static meshes around `centre` [3]; `direction` [3] points to the lamp.

    Points farther than `radius_m` from the centre may fall outside the maps; they count as lit. Leave out meshes that
    extend farther (rooms): their shadows would have arbitrary edges.
    """
    towards = np.concatenate([_cone(direction, LAMP_HALF_ANGLE_RAD, lamp_rays), _dome(sky_rays)])
    focal = 0.5 * size_px * DISTANCE_M / radius_m
    middle = 0.5 * (size_px - 1)
    camera = Intrinsics(width=size_px, height=size_px, fx=focal, fy=focal, cx=middle, cy=middle)
    matrices, maps = [], []
    for ray in towards:
        pose = look_at(centre + DISTANCE_M * ray, centre)
        matrices.append(camera.matrix @ invert(pose)[:3])
        maps.append(render(meshes, camera, pose).depth_m)
    lamp = np.arange(len(towards)) < lamp_rays
    return ShadowMaps(matrices=np.stack(matrices), depth_m=np.stack(maps), lamp=lamp)


def visibility(raster: Raster, looks: Sequence[ShadingData], maps: ShadowMaps) -> Array:
    """Return the visible share of the lamp and of the sky at each pixel, 0 to 1, float32 [h, w, 2]."""
    camera_from_pixel = np.linalg.inv(raster.camera.matrix)
    rays = raster.world_from_camera[:3, :3] @ camera_from_pixel
    eye = np.ascontiguousarray(raster.world_from_camera[:3, 3])
    normals = np.concatenate([np.zeros((0, 3), dtype=np.float32)] + [look.face_normals for look in looks])
    starts = np.cumsum([0] + [len(look.face_normals) for look in looks])
    face = np.where(raster.body >= 0, raster.face + starts[raster.body], -1)
    view = (raster.depth_m, rays, eye)
    return np.asarray(_lit_fractions(raster.body, face, normals, view, maps.matrices, maps.depth_m, maps.lamp))


def _cone(direction: Array, half_angle_rad: float, count: int) -> Array:
    """Return unit vectors [count, 3] spread evenly over a cone (Fibonacci spiral)."""
    axis = np.asarray(direction, dtype=np.float64) / np.linalg.norm(direction)
    side = np.cross(axis, [0.0, 0.0, 1.0] if abs(axis[2]) < 0.9 else [1.0, 0.0, 0.0])
    side /= np.linalg.norm(side)
    rank = np.arange(count) + 0.5
    turn = rank * np.pi * (3.0 - np.sqrt(5.0))
    tilt = half_angle_rad * np.sqrt(rank / count)
    across = np.cos(turn)[:, None] * side + np.sin(turn)[:, None] * np.cross(axis, side)
    return np.asarray(np.cos(tilt)[:, None] * axis + np.sin(tilt)[:, None] * across)


def _dome(count: int) -> Array:
    """Return unit vectors [count, 3] over the upper half, cosine-weighted and not below 23 degree."""
    rank = np.arange(count) + 0.5
    turn = rank * np.pi * (3.0 - np.sqrt(5.0))
    across = np.sqrt(0.85 * rank / count)
    return np.stack([across * np.cos(turn), across * np.sin(turn), np.sqrt(1.0 - across**2)], axis=1)


@njit(cache=True, nogil=True)
def _lit_fractions(
    body: Array,
    face: Array,
    normals: Array,
    view: tuple[Array, Array, Array],
    matrices: Array,
    maps: Array,
    lamp: Array,
) -> Array:
    """Return the visible share of lamp and sky by pixel [h, w, 2]; 2×2 pixels on one surface share a sample."""
    depth_m, rays, eye = view
    height, width = body.shape
    result = np.ones((height, width, 2), dtype=np.float32)
    point = np.empty(3)
    for y in range(height):
        for x in range(width):
            if body[y, x] < 0:
                continue
            row, column = y - y % 2, x - x % 2
            is_near = abs(depth_m[row, column] - depth_m[y, x]) < 0.01 * depth_m[y, x]
            if (row != y or column != x) and body[row, column] == body[y, x] and is_near:
                result[y, x] = result[row, column]
                continue
            normal, facing = normals[face[y, x]], 0.0
            for k in range(3):
                point[k] = depth_m[y, x] * (rays[k, 0] * x + rays[k, 1] * y + rays[k, 2])
                facing += point[k] * normal[k]
            for k in range(3):
                point[k] += eye[k] + (NORMAL_OFFSET_M if facing < 0.0 else -NORMAL_OFFSET_M) * normal[k]
            _sample_maps(point, matrices, maps, lamp, result[y, x])
    return result


@njit(cache=True, nogil=True)
def _sample_maps(point: Array, matrices: Array, maps: Array, lamp: Array, out: Array) -> None:
    """Write the visible share of lamp and sky of one point [3] to `out` [2]; map pixels are interpolated bilinearly."""
    sums, counts = np.zeros(2), np.zeros(2)
    size = maps.shape[1]
    for k in range(len(matrices)):
        m, kind = matrices[k], 0 if lamp[k] else 1
        counts[kind] += 1.0
        z = m[2, 0] * point[0] + m[2, 1] * point[1] + m[2, 2] * point[2] + m[2, 3]
        u = (m[0, 0] * point[0] + m[0, 1] * point[1] + m[0, 2] * point[2] + m[0, 3]) / z
        v = (m[1, 0] * point[0] + m[1, 1] * point[1] + m[1, 2] * point[2] + m[1, 3]) / z
        x, y = int(np.floor(u)), int(np.floor(v))
        if x < 0 or y < 0 or x >= size - 1 or y >= size - 1:
            sums[kind] += 1.0
            continue
        a, b = u - x, v - y
        for dy in range(2):
            for dx in range(2):
                hit = maps[k, y + dy, x + dx]
                if hit == 0.0 or hit > z - DEPTH_BIAS_M:
                    sums[kind] += (a if dx else 1.0 - a) * (b if dy else 1.0 - b)
    out[0] = sums[0] / max(counts[0], 1.0)
    out[1] = AMBIENT_FLOOR + (1.0 - AMBIENT_FLOOR) * sums[1] / max(counts[1], 1.0)
