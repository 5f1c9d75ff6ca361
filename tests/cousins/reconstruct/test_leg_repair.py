from __future__ import annotations

import numpy as np
from scipy import ndimage

from cousins.reconstruct.surface.leg_repair import repair_legs
from cousins.reconstruct.surface.view_evidence import VoxelGrid

GRID = VoxelGrid(origin=np.array([0.0, 0.0, -0.015]), voxel_m=0.005, shape=(60, 60, 60))
UNSEEN = np.zeros(GRID.shape, dtype=np.float32)


def stool(leg_ends_m: tuple[float, float, float, float]) -> np.ndarray:
    """A seat at 20 cm with four legs of 2 cm that end at the given heights."""
    field = np.full(GRID.shape, 0.02, dtype=np.float32)
    heights = GRID.centers_m(2)
    field[10:50, 10:50, (heights > 0.2) & (heights < 0.22)] = -0.01
    for (i, j), end in zip(((10, 10), (10, 46), (46, 10), (46, 46)), leg_ends_m, strict=True):
        field[i : i + 4, j : j + 4, (heights > end) & (heights < 0.21)] = -0.01
    return field


def feet(field: np.ndarray) -> int:
    """Number of places where the body meets the support."""
    return int(ndimage.label(field[:, :, 4] < 0.0)[1])


def test_a_stool_on_two_legs_gets_the_other_two_let_down():
    stood = repair_legs(stool((-0.01, -0.01, 0.03, 0.04)), UNSEEN, GRID, base_m=0.0)
    assert stood.completions == ("legs let down",)
    assert feet(stood.field) == 4


def test_a_stool_on_four_legs_is_left_alone():
    before = stool((-0.01, -0.01, -0.01, -0.01))
    stood = repair_legs(before, UNSEEN, GRID, base_m=0.0)
    assert stood.completions == ()
    assert (stood.field == before).all()


def test_a_loose_piece_of_a_leg_is_tied_to_the_body():
    field = stool((-0.01, -0.01, -0.01, -0.01))
    field[46:50, :, 18:24] = 0.02
    stood = repair_legs(field, UNSEEN, GRID, base_m=0.0)
    assert stood.completions == ("loose pieces tied",)
    assert ndimage.label(stood.field < 0.0)[1] == 1


def test_a_far_piece_is_not_the_objects():
    field = np.full(GRID.shape, 0.02, dtype=np.float32)
    field[2:20, 2:20, 2:20] = -0.01
    field[2:20, 2:20, 2:12] = 0.02
    field[50:56, 50:56, 50:56] = -0.01
    stood = repair_legs(field, UNSEEN, GRID, base_m=0.0)
    assert ndimage.label(stood.field < 0.0)[1] == 2


def test_a_leg_that_faded_to_a_wire_is_thickened():
    field = stool((-0.01, -0.01, 0.03, 0.04))
    field[46:50, 46:50, 11:40] = 0.02
    field[47, 47, 8:44] = -0.01
    stood = repair_legs(field, UNSEEN, GRID, base_m=0.0)
    assert "thin legs thickened" in stood.completions
    assert np.count_nonzero(stood.field[44:53, 44:53, 25] < 0.0) >= 5
