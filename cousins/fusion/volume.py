"""Block-sparse signed-distance volume (TSDF): depth images in, one surface out.

Voxel (i, j, k) of the world's grid sits at (i, j, k) · voxel_m. Only 8³ blocks near observed surface exist
(4 cm at 5 mm voxels, 2 kB each without colour), so memory follows surface area: a corridor of 70 m fits.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from cousins.capture.captures import Frame
from cousins.fusion import blocks, surface
from cousins.fusion.allocation import RAY_SPACING_BLOCKS, activate_free_blocks, activate_surface_blocks
from cousins.fusion.integration import integrate
from cousins.fusion.observation import encode_observations
from cousins.geometry import Array, Intrinsics, invert
from cousins.meshes import Mesh


@dataclass(frozen=True, kw_only=True)
class FusionConfig:
    """Settings of depth fusion."""

    voxel_m: float = 0.005
    """Voxel edge [m]."""
    truncation_m: float = 0.02
    """Distance at which the signed distance is cut off [m]."""
    min_depth_m: float = 0.1
    """Nearest depth that is used [m]."""
    max_depth_m: float = 5.0
    """Furthest depth that is used [m]: the range of a phone's LiDAR."""
    min_confidence: int = 1
    """Least confidence that is used: 0 low, 1 medium, 2 high."""
    trust: tuple[float, float, float] = (1 / 16, 1 / 4, 1.0)
    """Weight by confidence: medium and low are taken to have twice and four times the noise of high."""
    sigma_m: float = 0.002
    """Noise of a depth at zero range [m]; with `sigma_per_m` it weights by 1/σ², 1 at a range of 1 m."""
    sigma_per_m: float = 0.005
    """Growth of the noise with range."""
    edge_sigmas: float = 6.0
    """Jump between neighbours, in σ, that counts as a depth edge: 4 σ of a difference of two pixels."""
    edge_px: int = 2
    """How far from a depth edge pixels may mix near and far [px]."""
    edge_trust: float = 0.5
    """Weight factor beside a depth edge; pixels between a nearer and a further surface are dropped."""
    carve: bool = True
    """Whether frames clear the blocks that they look through."""


class Volume:
    """Signed distances, weights and colours in blocks that exist where surface was observed."""

    def __init__(self, config: FusionConfig, *, colors: bool = False) -> None:
        """Start empty; `colors` decides whether voxels hold colour."""
        self.config = config
        self.colors = colors
        self.block_m = config.voxel_m * blocks.BLOCK_EDGE_VOXELS
        self._state = np.zeros(3, dtype=np.int64)
        self._keys = np.zeros(0, dtype=np.int64)
        self._rows = np.zeros(0, dtype=np.int32)
        self._coords = np.zeros((0, 3), dtype=np.int32)
        self._stamp = np.zeros(0, dtype=np.int64)
        self._active = np.zeros(0, dtype=np.int32)
        self._distance = np.zeros((0, blocks.VOXELS_PER_BLOCK), dtype=np.int16)
        self._weight = np.zeros((0, blocks.VOXELS_PER_BLOCK), dtype=np.uint16)
        self._color = np.zeros((0, 3, blocks.VOXELS_PER_BLOCK), dtype=np.uint16)
        self._grow(_FIRST_BLOCKS)

    @property
    def block_count(self) -> int:
        """Number of blocks that exist."""
        return int(self._state[0])

    @property
    def byte_count(self) -> int:
        """Bytes held by voxels and index."""
        return sum(getattr(self, name).nbytes for name in ("_keys", "_rows", *_BLOCK_ARRAYS))

    def integrate(self, frame: Frame, *, mask: Array | None = None, color: Array | None = None) -> None:
        """Fuse one frame; a `mask` (bool [h, w]) limits surface to its pixels, the others only carve.

        `color` is uint8 [h, w, 3] at the depth image's size; without it a volume with colours takes the
        frame's own, where it has one.
        """
        code = self.observe(frame, mask=mask)
        camera = frame.depth_camera
        projection = camera.matrix @ invert(frame.world_from_camera)[:3]
        active = self._find_active(frame, code, projection)
        if self.colors and color is None:
            color = color_at_depth(frame)
        image = (
            np.append(frame.depth_m, np.float32(0.0)),
            np.append(code, np.int32(0)),
            np.zeros(0, dtype=np.int32) if color is None or not self.colors else _pack_colors(color),
            camera.width,
            camera.height,
        )
        fields = (self._distance, self._weight, self._color)
        sizes = (self.config.voxel_m, self.config.truncation_m, _FULL_WEIGHT_BEHIND * self.config.truncation_m)
        parts = np.array_split(active, _THREADS)
        for job in [_POOL.submit(integrate, part, self._coords, fields, image, projection, sizes) for part in parts]:
            job.result()

    def observe(self, frame: Frame, *, mask: Array | None = None) -> Array:
        """Return the observation code of each pixel, int32 [h, w] (see `observation`)."""
        config = self.config
        trust = np.where(np.arange(3) >= config.min_confidence, config.trust, 0.0).astype(np.float32)
        code = np.zeros(frame.depth_m.shape, dtype=np.int32)
        arguments: tuple[Any, ...] = (
            frame.depth_m,
            frame.confidence,
            np.zeros((0, 0), dtype=np.bool_) if mask is None else np.asarray(mask, dtype=np.bool_),
            _pinhole(frame.depth_camera),
            (config.min_depth_m, config.max_depth_m, trust),
            (config.sigma_m, config.sigma_per_m),
            (config.edge_sigmas, config.edge_px, config.edge_trust),
            code,
        )
        cuts = np.linspace(0, len(code), _THREADS + 1).astype(int).tolist()
        for job in [_POOL.submit(encode_observations, rows, *arguments) for rows in pairwise(cuts)]:
            job.result()
        return code

    def _find_active(self, frame: Frame, code: Array, projection: Array) -> Array:
        """Return the rows of the blocks that a frame updates, in order; new ones are added."""
        self._state[1:] = 0, self._state[2] + 1
        camera, image, row = frame.depth_camera, (frame.depth_m, code), 0
        used = frame.depth_m[code != 0]
        apart_px = (
            RAY_SPACING_BLOCKS * self.block_m * camera.fx / max(float(np.median(used)), 1e-3) if len(used) else 1.0
        )
        pose = frame.world_from_camera[:3] / self.block_m
        view = (
            _pinhole(camera),
            pose,
            self.config.truncation_m / self.block_m,
            int(np.clip(apart_px, 1, _MAX_RAY_SPACING_PX)),
        )
        while True:
            index = (self._keys, self._rows)
            arrays = (index, self._coords, self._state, self._stamp, self._active, image)
            row = activate_surface_blocks(*arrays, view, row)
            if row == len(code):
                break
            self._grow(len(self._coords) * 5 // 4)
        if self.config.carve:
            activate_free_blocks(self._coords, self._state, self._stamp, self._active, image, projection, self.block_m)
        return np.sort(self._active[: self._state[1]])

    def extract(self, *, min_weight: float = 1.0) -> Mesh:
        """Return the surface among voxels of at least `min_weight`; weight 1 is one good frontal view at 1 m."""
        count = self.block_count
        return surface.extract_mesh(
            (self._keys, self._rows),
            self._coords[:count],
            (self._distance[:count], self._weight[:count], self._color[:count]),
            voxel_m=self.config.voxel_m,
            min_weight=min_weight,
        )

    def sample(self, points: Array) -> tuple[Array, Array]:
        """Return signed distance [m] (NaN where unknown) and weight [n] at world points [n, 3], trilinear.

        Distances are those along the lines of sight: exact at the surface, beside it up to twice too long.
        """
        return surface.sample_distance(
            (self._keys, self._rows),
            self._distance,
            self._weight,
            points,
            voxel_m=self.config.voxel_m,
            truncation_m=self.config.truncation_m,
        )

    def _grow(self, capacity: int) -> None:
        """Make room for `capacity` blocks."""
        for name in _BLOCK_ARRAYS if self.colors else _BLOCK_ARRAYS[:-1]:
            # Growing in place spares the second copy that a new array would need while it is filled.
            array = getattr(self, name)
            array.resize((capacity, *array.shape[1:]), refcheck=False)
        size = 1 << int(np.ceil(np.log2(2 * capacity)))
        if size > len(self._keys):
            self._keys = np.full(size, blocks.EMPTY_KEY, dtype=np.int64)
            self._rows = np.full(size, -1, dtype=np.int32)
            blocks.rebuild_index(self._keys, self._rows, self._coords, self.block_count)


def fuse(
    frames: Iterable[Frame],
    *,
    config: FusionConfig | None = None,
    masks: Mapping[int, Array] | None = None,
    colors: bool = False,
) -> Volume:
    """Fuse frames in order; `masks` bool [h, w] by frame index limit surface to an object, other frames only carve."""
    volume = Volume(config or FusionConfig(), colors=colors)
    for frame in frames:
        mask = None if masks is None else masks.get(frame.index, np.zeros(frame.depth_m.shape, dtype=np.bool_))
        volume.integrate(frame, mask=mask)
    return volume


_MAX_RAY_SPACING_PX = 8
_FULL_WEIGHT_BEHIND = 0.75
"""Fraction of the truncation distance behind the surface with full weight. Beyond it weight falls to 0, so that the
front of a thin wall affects its back less; nearer it must not, or noise would move the surface inwards."""
_FIRST_BLOCKS = 1 << 12
_BLOCK_ARRAYS = ("_coords", "_stamp", "_active", "_distance", "_weight", "_color")
_THREADS = os.cpu_count() or 1
_POOL = ThreadPoolExecutor(_THREADS)


def color_at_depth(frame: Frame) -> Array | None:
    """Return the frame's colour at its depth pixels, uint8 [h, w, 3]; None without colour."""
    depth_camera, color_camera = frame.depth_camera, frame.color_camera
    if color_camera is None:
        return None
    width = max(round(color_camera.width * depth_camera.fx / color_camera.fx), 1)
    image = frame.color(width=width)
    if image is None:
        return None
    camera = color_camera.scaled(image.shape[1], image.shape[0])
    u = (np.arange(depth_camera.width) - depth_camera.cx) * (camera.fx / depth_camera.fx) + camera.cx
    v = (np.arange(depth_camera.height) - depth_camera.cy) * (camera.fy / depth_camera.fy) + camera.cy
    u = np.clip(np.rint(u).astype(np.int64), 0, camera.width - 1)
    v = np.clip(np.rint(v).astype(np.int64), 0, camera.height - 1)
    return np.asarray(image[v[:, None], u[None, :]])


def _pinhole(camera: Intrinsics) -> tuple[float, float, float, float]:
    return camera.fx, camera.fy, camera.cx, camera.cy


def _pack_colors(color: Array) -> Array:
    """Return colour as flat int32, red lowest, with one black pixel at the end."""
    packed = np.zeros(color.shape[0] * color.shape[1] + 1, dtype=np.int32)
    packed[:-1] = (color.astype(np.int32) @ np.array([1, 1 << 8, 1 << 16], dtype=np.int32)).ravel()
    return packed
