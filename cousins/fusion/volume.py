"""A block-sparse signed-distance volume: depth images in, one surface out.

Voxel (i, j, k) of the world's grid sits at (i, j, k) · voxel_m. Only 8³ blocks near seen surface exist
(4 cm at 5 mm voxels, 2 kB each without colour), so memory follows surface area: a corridor of 70 m fits.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from cousins.capture.captures import Frame
from cousins.fusion import blocks, integration, surface
from cousins.fusion.observation import observe
from cousins.geometry import Array, Intrinsics, invert
from cousins.meshes import Mesh


@dataclass(frozen=True, kw_only=True)
class FusionConfig:
    """How depth images become a surface."""

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
    stride_px: int = 4
    """Spacing of the pixels that look for new blocks [px]."""


class Volume:
    """Signed distances and weights in blocks that exist where surface was seen."""

    def __init__(self, config: FusionConfig, *, colors: bool = False) -> None:
        self.config = config
        self.colors = colors
        self.block_m = config.voxel_m * blocks.BLOCK
        self._state = np.zeros(3, dtype=np.int64)
        self._keys = np.full(1 << 13, blocks.EMPTY, dtype=np.int64)
        self._rows = np.full(1 << 13, -1, dtype=np.int32)
        self._coords = np.zeros((0, 3), dtype=np.int32)
        self._stamp = np.zeros(0, dtype=np.int64)
        self._active = np.zeros(0, dtype=np.int32)
        self._distance = np.zeros((0, blocks.VOXELS), dtype=np.int16)
        self._weight = np.zeros((0, blocks.VOXELS), dtype=np.uint16)
        self._grow(1 << 12)

    @property
    def block_count(self) -> int:
        """Number of blocks that exist."""
        return int(self._state[0])

    @property
    def byte_count(self) -> int:
        """Bytes held by voxels and index."""
        arrays = (self._keys, self._rows, self._coords, self._stamp, self._active, self._distance, self._weight)
        return sum(array.nbytes for array in arrays)

    def integrate(self, frame: Frame, *, mask: Array | None = None) -> None:
        """Fuse one frame; a `mask` (bool [h, w]) limits surface to its pixels, the others only carve."""
        code = self.observe(frame, mask=mask)
        camera = frame.depth_camera
        image = (frame.depth_m, code)
        projection = camera.matrix @ invert(frame.world_from_camera)[:3]
        self._state[1:] = 0, self._state[2] + 1
        sizes = (self.block_m, self.config.truncation_m, self.config.stride_px)
        row = 0
        while True:
            index = (self._keys, self._rows)
            row = integration.touch(
                index,
                self._coords,
                self._state,
                self._stamp,
                self._active,
                image,
                _focal(camera),
                frame.world_from_camera,
                sizes,
                row,
            )
            if row >= camera.height:
                break
            self._grow(max(len(self._coords) * 5 // 4, len(self._coords) + 64 * camera.width))
        if self.config.carve:
            integration.see_through(
                self._coords, self._state, self._stamp, self._active, image, projection, self.block_m
            )
        active = np.sort(self._active[: self._state[1]])
        arguments = (self._coords, self._distance, self._weight, image, projection)
        scales = (self.config.voxel_m, self.config.truncation_m, self.config.voxel_m)
        parts = np.array_split(active, _WORKERS)
        list(_POOL.map(lambda part: integration.integrate(part, *arguments, scales), parts))

    def observe(self, frame: Frame, *, mask: Array | None = None) -> Array:
        """Return what each pixel is trusted for, int32 [h, w] (see `observation`)."""
        config = self.config
        code = np.zeros(frame.depth_m.shape, dtype=np.int32)
        observe(
            frame.depth_m,
            frame.confidence,
            np.zeros((0, 0), dtype=np.bool_) if mask is None else np.asarray(mask, dtype=np.bool_),
            _focal(frame.depth_camera),
            (config.min_depth_m, config.max_depth_m, config.min_confidence),
            (config.sigma_m, config.sigma_per_m),
            np.asarray(config.trust),
            (config.edge_sigmas, config.edge_px, config.edge_trust),
            code,
        )
        return code

    def extract(self, *, min_weight: float = 1.0) -> Mesh:
        """Return the surface among voxels of at least `min_weight`; weight 1 is one good frontal view at 1 m."""
        count = self.block_count
        return surface.extract(
            (self._keys, self._rows),
            self._coords[:count],
            self._distance[:count],
            self._weight[:count],
            voxel_m=self.config.voxel_m,
            min_weight=min_weight,
        )

    def sample(self, points: Array) -> tuple[Array, Array]:
        """Return signed distance [m] (NaN where unknown) and weight [n] at world points [n, 3], trilinear."""
        return surface.sample(
            (self._keys, self._rows),
            self._distance,
            self._weight,
            points,
            voxel_m=self.config.voxel_m,
            truncation_m=self.config.truncation_m,
        )

    def _grow(self, capacity: int) -> None:
        """Make room for `capacity` blocks."""
        for name in ("_coords", "_stamp", "_active", "_distance", "_weight"):
            array = getattr(self, name)
            array.resize((capacity, *array.shape[1:]), refcheck=False)
        size = 1 << int(np.ceil(np.log2(2 * capacity)))
        if size > len(self._keys):
            self._keys = np.full(size, blocks.EMPTY, dtype=np.int64)
            self._rows = np.full(size, -1, dtype=np.int32)
            blocks.rebuild(self._keys, self._rows, self._coords, self.block_count)


def fuse(
    frames: Iterable[Frame],
    *,
    config: FusionConfig | None = None,
    masks: Mapping[int, Array] | None = None,
    colors: bool = False,
) -> Volume:
    """Fuse frames in order; `masks` by frame index limit surface to an object (a frame without one only carves)."""
    volume = Volume(config or FusionConfig(), colors=colors)
    for frame in frames:
        mask = None if masks is None else masks.get(frame.index, np.zeros(frame.depth_m.shape, dtype=np.bool_))
        volume.integrate(frame, mask=mask)
    return volume


_WORKERS = os.cpu_count() or 1
_POOL = ThreadPoolExecutor(_WORKERS)


def _focal(camera: Intrinsics) -> tuple[float, float, float, float]:
    return camera.fx, camera.fy, camera.cx, camera.cy
