"""A cup that was seen from one side: its wall all around, its cavity open, its bottom where it was measured."""

from __future__ import annotations

import numpy as np
import pytest

from cousins.reconstruct.surface.completion import RevolutionSolid
from cousins.reconstruct.surface.distance_field import MeasuredField
from cousins.reconstruct.surface.hollow_solid import hollow_share
from cousins.reconstruct.surface.view_evidence import VoxelGrid

GRID = VoxelGrid(origin=np.array([-0.06, -0.06, -0.008]), voxel_m=0.002, shape=(61, 61, 60))
CUP = RevolutionSolid(axis_xy=np.zeros(2), heights_m=np.array([0.0, 0.1]), radii_m=np.array([0.04, 0.04]), top_m=0.1)
WALL_M = 0.005


def no_measurement() -> MeasuredField:
    return MeasuredField(
        distance_m=np.zeros(GRID.shape, dtype=np.float32), trust=np.zeros(GRID.shape, dtype=np.float32)
    )


def with_bottom(height_m: float) -> MeasuredField:
    x, y = np.meshgrid(GRID.centers_m(0), GRID.centers_m(1), indexing="ij")
    middle = np.hypot(x, y) < 0.02
    distance = (GRID.centers_m(2) - height_m).astype(np.float32)
    near = np.abs(distance) < 0.006
    trust = (middle[:, :, None] & near).astype(np.float32)
    return MeasuredField(distance_m=np.where(trust > 0.0, distance, 0.0).astype(np.float32), trust=trust)


def column(share: np.ndarray, x_m: float, y_m: float = 0.0) -> np.ndarray:
    i, j = (int(np.argmin(np.abs(GRID.centers_m(axis) - value))) for axis, value in ((0, x_m), (1, y_m)))
    return np.asarray(share[i, j] >= 0.5)


@pytest.mark.parametrize(("measured", "floor_m"), [(no_measurement(), WALL_M), (with_bottom(0.03), 0.03)])
def test_a_cup_has_wall_and_bottom_and_is_open_above(measured: MeasuredField, floor_m: float) -> None:
    share = hollow_share(CUP, measured, GRID, base_m=0.0, wall_m=WALL_M)
    heights = GRID.centers_m(2)
    middle = column(share, 0.0)
    assert not middle[heights > floor_m + 0.003].any()
    assert middle[(heights > 0.001) & (heights < floor_m - 0.003)].all()
    for angle in np.linspace(0.0, 2.0 * np.pi, 12, endpoint=False):
        wall = column(share, 0.0375 * np.cos(angle), 0.0375 * np.sin(angle))
        assert wall[(heights > 0.001) & (heights < 0.098)].all()
        assert not wall[heights > 0.103].any()
    assert not column(share, 0.045).any()
