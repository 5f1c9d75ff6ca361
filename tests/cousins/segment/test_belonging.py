from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from cousins.geometry import Array
from cousins.segment.backends.geometric import Config, build
from cousins.segment.masks import rivals
from cousins.segment.observability import weigh
from cousins.segment.segments import Segmentation
from cousins.segment.surfaces.surface import Surface, drawn_together
from cousins.segment.surfaces.voxel_map import touching_voxels


@pytest.fixture
def segment() -> Callable[..., Segmentation]:
    return lambda capture: build(Config()).segment(capture, rng=np.random.default_rng(0))


def _flat(layers_m: float) -> Surface:
    cells = np.array([[i, j, 0] for i in range(20) for j in range(20)])
    points = cells * 0.01
    points[:, 2] = np.where(cells.sum(axis=1) % 2 == 0, 0.0, layers_m)
    return Surface(
        points=points,
        normals=np.tile([0.0, 0.0, 1.0], (len(cells), 1)),
        colors=np.full((len(cells), 3), np.nan),
        edges=touching_voxels(cells),
        spacing_m=0.01 / 3.0,
        sigma_m=0.002,
    )


def test_layers_of_one_face_are_drawn_together() -> None:
    assert np.ptp(drawn_together(_flat(0.008), steps=3).points[:, 2]) < 0.002


def test_a_voxel_with_two_sides_touches_its_other_side_and_both_sides_touch_its_neighbour() -> None:
    pairs = touching_voxels(np.array([[0, 0, 0], [0, 0, 0], [1, 0, 0]]))
    assert sorted(sorted(pair) for pair in pairs.tolist()) == [[0, 1], [0, 2], [1, 2]]


def test_a_cup_with_thin_walls_and_a_handle_is_one_object(
    made: SimpleNamespace, segment: Callable[..., Segmentation]
) -> None:
    walls = [
        made.box((-0.05, -0.05, 0.0), (0.05, -0.046, 0.1)),
        made.box((-0.05, 0.046, 0.0), (0.05, 0.05, 0.1)),
        made.box((-0.05, -0.05, 0.0), (-0.046, 0.05, 0.1)),
        made.box((0.046, -0.05, 0.0), (0.05, 0.05, 0.1)),
        made.box((-0.05, -0.05, 0.0), (0.05, 0.05, 0.006)),
        made.box((0.05, -0.006, 0.07), (0.085, 0.006, 0.085)),
        made.box((0.075, -0.006, 0.02), (0.085, 0.006, 0.085)),
        made.box((0.05, -0.006, 0.015), (0.085, 0.006, 0.03)),
    ]
    capture, _ = made.film(walls, made.views(20), noise=0.003)
    assert len(segment(capture).segments) == 1


def test_what_nearly_touches_at_a_corner_stays_two_objects(
    made: SimpleNamespace, segment: Callable[..., Segmentation]
) -> None:
    things = [made.box((-0.1, -0.1, 0.0), (0.0, 0.0, 0.12)), made.box((0.003, 0.003, 0.0), (0.1, 0.1, 0.08))]
    capture, _ = made.film(things, made.views(20), noise=0.003)
    assert len(segment(capture).segments) == 2


def test_what_was_seen_from_one_side_only_is_left_out_and_counted(made: SimpleNamespace) -> None:
    capture, bodies = made.film([made.box((-0.05, -0.05, 0.0), (0.05, 0.05, 0.1))], made.views(36))
    rng = np.random.default_rng(0)
    cloud = _box_surface(rng)
    around = {k: bodies[k] == 1 for k in range(36)}
    one_side = {k: bodies[k] == 1 for k in range(3)}
    kept, warnings = weigh(capture, [around, one_side], [cloud, cloud], voxel_m=0.005, up=np.array([0.0, 0.0, 1.0]))
    assert kept == [0]
    assert warnings == (
        "left out 1 thing seen from one side only, over less than 25°: walk around them to include them",
    )
    few = replace(capture, frames=capture.frames[:3])
    assert weigh(few, [one_side], [cloud], voxel_m=0.005, up=np.array([0.0, 0.0, 1.0])) == ([0], ())


def _box_surface(rng: np.random.Generator) -> Array:
    points = rng.uniform(-0.05, 0.05, size=(2400, 3)) + np.array([0.0, 0.0, 0.05])
    axis = rng.integers(0, 3, size=len(points))
    points[np.arange(len(points)), axis] = rng.integers(0, 2, size=len(points)) * 0.1 - np.where(axis == 2, 0.0, 0.05)
    return points


def test_far_points_do_not_compete_for_pixels() -> None:
    rest = np.array([[0.02, 0.0, 0.0], [1.0, 0.0, 0.0]])
    assert np.array_equal(rivals(rest, np.zeros((1, 3))), rest[:1])


def test_a_handle_that_ends_in_the_middle_of_its_head_is_part_of_it_and_a_stick_on_the_ground_is_not(
    made: SimpleNamespace, segment: Callable[..., Segmentation]
) -> None:
    head = made.box((-0.03, -0.03, 0.0), (0.03, 0.03, 0.11))
    handle = made.box((0.03, -0.012, 0.045), (0.26, 0.012, 0.07))
    hammer, _ = made.film([head, handle], made.views(24), noise=0.002)
    assert len(segment(hammer).segments) == 1
    stick = made.box((0.034, -0.012, 0.0), (0.26, 0.012, 0.025))
    beside, _ = made.film([head, stick], made.views(24), noise=0.002)
    assert len(segment(beside).segments) == 2
