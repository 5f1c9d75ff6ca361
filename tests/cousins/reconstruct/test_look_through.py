from __future__ import annotations

import numpy as np

from cousins.capture.captures import Frame
from cousins.geometry import Intrinsics, look_at
from cousins.reconstruct.surface.distance_field import MeasuredField
from cousins.reconstruct.surface.look_through import carve_looked_through
from cousins.reconstruct.surface.view_evidence import VoxelGrid

CAMERA = Intrinsics(width=64, height=48, fx=60.0, fy=60.0, cx=31.5, cy=23.5)
GRID = VoxelGrid(origin=np.array([-0.02, -0.02, 0.0]), voxel_m=0.004, shape=(11, 11, 11))


def frames(depth_m: float, count: int) -> list[Frame]:
    """Views from above, half a metre over the grid's top, of a level surface at a depth."""
    pose = look_at(np.array([0.0, 0.001, 0.54]), np.zeros(3))
    return [
        Frame(
            index=index,
            timestamp_s=0.1 * index,
            world_from_camera=pose,
            depth_camera=CAMERA,
            depth_m=np.full((48, 64), depth_m, dtype=np.float32),
            confidence=np.full((48, 64), 2, dtype=np.uint8),
        )
        for index in range(count)
    ]


def solid() -> MeasuredField:
    return MeasuredField(
        distance_m=np.full(GRID.shape, -0.004, dtype=np.float32), trust=np.ones(GRID.shape, dtype=np.float32)
    )


def test_solid_through_which_most_frames_look_becomes_air():
    carved = carve_looked_through(solid(), frames(0.6, 3), GRID, base_m=-0.01)
    assert (carved.distance_m > 0.0).all()


def test_solid_that_most_frames_measure_stays():
    views = frames(0.52, 3) + frames(0.6, 2)
    carved = carve_looked_through(solid(), views, GRID, base_m=-0.01)
    assert (carved.distance_m[:, :, 5] < 0.0).all()


def test_a_single_frame_removes_nothing():
    assert (carve_looked_through(solid(), frames(0.6, 1), GRID, base_m=-0.01).distance_m < 0.0).all()
