"""An object reaches its support through space that no view observed, as far as it needs to stand."""

from __future__ import annotations

import numpy as np

from cousins.geometry import Array
from cousins.reconstruct.surface.hidden_base import extend_hidden_base
from cousins.reconstruct.surface.view_evidence import VoxelGrid

GRID = VoxelGrid(origin=np.array([0.0, 0.0, -0.015]), voxel_m=0.005, shape=(60, 60, 60))


def block_on_its_edge() -> Array:
    """A block of 20 cm whose measured part meets the support along one edge only: the underside rises to 6 cm."""
    field = np.full(GRID.shape, 0.02, dtype=np.float32)
    for row in range(10, 50):
        bottom = 3 + (row - 10) * 12 // 40
        field[row, 10:50, bottom:43] = -0.01
    return field


def free_below(field: Array) -> Array:
    """Every voxel outside the object, as if views had looked through it."""
    return field > 0.0


def test_a_hidden_underside_reaches_the_support() -> None:
    field = block_on_its_edge()
    nothing_free = np.zeros(GRID.shape, dtype=bool)
    extended, changed = extend_hidden_base(field, nothing_free, GRID, base_m=0.0)
    assert changed
    contact = np.argwhere(extended[:, :, 3] < 0.0)
    assert contact[:, 0].max() > 29.5  # beyond the middle of the block
    assert contact[:, 0].max() < 48  # and no further than needed
    assert np.all(extended[field < 0.0] <= field[field < 0.0])


def test_space_that_was_looked_through_stays_empty() -> None:
    field = block_on_its_edge()
    extended, changed = extend_hidden_base(field, free_below(field), GRID, base_m=0.0)
    assert not changed
    assert (extended == field).all()


def test_what_stands_is_left_alone() -> None:
    field = np.full(GRID.shape, 0.02, dtype=np.float32)
    field[10:50, 10:50, 3:20] = -0.01
    extended, changed = extend_hidden_base(field, np.zeros(GRID.shape, dtype=bool), GRID, base_m=0.0)
    assert not changed
    assert (extended == field).all()


def test_a_table_top_gets_no_solid_block_under_it() -> None:
    field = np.full(GRID.shape, 0.02, dtype=np.float32)
    field[10:50, 10:50, 38:43] = -0.01
    field[10:14, 10:14, 3:38] = -0.01
    _, changed = extend_hidden_base(field, np.zeros(GRID.shape, dtype=bool), GRID, base_m=0.0)
    assert not changed
