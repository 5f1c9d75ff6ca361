"""Walls that enclose a bottom of their colour are one hollow object; objects around open ground are not."""

from __future__ import annotations

import numpy as np
import pytest

from cousins.geometry import Array
from cousins.segment.parts.hollow_objects import add_hollow_bottoms, join_hollow_walls
from cousins.segment.surfaces.surface import Surface

VOXEL_M = 0.005
UP = np.array([0.0, 0.0, 1.0])
DISH, TABLE = (40.0, 10.0, 40.0), (70.0, 0.0, -20.0)


def ring_on_table(*, bottom: tuple[float, float, float]) -> tuple[Surface, Array, Array]:
    """Two halves (0, 1) of a ring of 8 to 10 cm on a table (-1); the ground inside has a colour of its own."""
    steps = np.arange(-0.2, 0.2, VOXEL_M)
    flat = np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2) + 0.5 * VOXEL_M
    radius = np.hypot(*flat.T)
    wall = (radius >= 0.08) & (radius <= 0.10)
    height = np.where(wall, 0.02, 0.0)
    labels = np.where(wall, (flat[:, 0] > 0.0).astype(np.int64), -1)
    inside = radius < 0.08
    colors = np.where(wall[:, None], DISH, np.where(inside[:, None], bottom, TABLE))
    cells = np.round((flat - flat.min(axis=0)) / VOXEL_M).astype(int)
    number = np.full(cells.max(axis=0) + 1, -1)
    number[tuple(cells.T)] = np.arange(len(flat))
    edges = np.concatenate(
        [
            np.stack([number[:-1].ravel(), number[1:].ravel()], axis=1),
            np.stack([number[:, :-1].ravel(), number[:, 1:].ravel()], axis=1),
        ]
    )
    surface = Surface(
        points=np.column_stack([flat, height]),
        normals=np.tile(UP, (len(flat), 1)),
        colors=colors.astype(np.float64),
        edges=edges,
        spacing_m=VOXEL_M / 3.0,
        sigma_m=0.002,
    )
    return surface, labels, height


@pytest.mark.parametrize(("bottom", "object_count"), [(DISH, 1), (TABLE, 2)])
def test_halves_of_a_ring_are_one_object_where_the_bottom_has_their_colour(
    bottom: tuple[float, float, float], object_count: int
) -> None:
    surface, labels, height = ring_on_table(bottom=bottom)
    joined = join_hollow_walls(surface, labels, height, voxel_m=VOXEL_M, up=UP)
    assert len(np.unique(joined[joined >= 0])) == object_count
    assert ((joined >= 0) == (labels >= 0)).all()


def test_a_whole_ring_takes_in_the_ground_that_it_encloses() -> None:
    surface, labels, height = ring_on_table(bottom=DISH)
    joined = join_hollow_walls(surface, labels, height, voxel_m=VOXEL_M, up=UP)
    filled = add_hollow_bottoms(surface, joined, height, 0.002, voxel_m=VOXEL_M, up=UP)
    radius = np.hypot(*surface.points[:, :2].T)
    assert (filled[radius < 0.07] == 0).all()
    assert (filled[radius > 0.11] == -1).all()


@pytest.mark.parametrize(("bottom", "expected_label"), [(DISH, 0), (TABLE, -1)])
def test_a_ring_with_a_gap_takes_in_the_ground_of_its_colour(
    bottom: tuple[float, float, float], expected_label: int
) -> None:
    surface, labels, height = ring_on_table(bottom=bottom)
    x, y = surface.points[:, :2].T
    gap = (labels >= 0) & (x > 0.0) & (np.abs(y) < 0.03)
    opened, flat = np.where(labels >= 0, 0, -1), np.where(gap, 0.0, height)
    opened[gap] = -1
    filled = add_hollow_bottoms(surface, opened, flat, 0.002, voxel_m=VOXEL_M, up=UP)
    assert (filled[np.hypot(x, y) < 0.07] == expected_label).all()
    assert (filled[np.hypot(x, y) > 0.11] == -1).all()
