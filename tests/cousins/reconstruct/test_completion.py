from __future__ import annotations

import numpy as np
import pytest

from cousins.reconstruct.support import base_height_m
from cousins.reconstruct.surface.completion import BoxSolid, RevolutionSolid, fit_solid
from cousins.segment.segments import Plane, Segment, Segmentation


def seen_box(rng: np.random.Generator) -> np.ndarray:
    """Top and two sides of a box of 20 × 12 × 10 cm, turned by 25 degrees, with 2 mm noise."""
    a, b = rng.uniform(-1.0, 1.0, size=(2, 900))
    top = np.stack([0.10 * a[:300], 0.06 * b[:300], np.full(300, 0.10)], axis=1)
    front = np.stack([0.10 * a[300:600], np.full(300, -0.06), 0.05 + 0.05 * b[300:600]], axis=1)
    side = np.stack([np.full(300, 0.10), 0.06 * a[600:], 0.05 + 0.05 * b[600:]], axis=1)
    c, s = np.cos(np.deg2rad(25.0)), np.sin(np.deg2rad(25.0))
    turn = np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
    return np.concatenate([top, front, side]) @ turn.T + 0.002 * rng.normal(size=(900, 3))


def seen_cup(rng: np.random.Generator) -> np.ndarray:
    """The front half of a cone frustum, radius 3 to 5 cm, 12 cm tall, at (0.3, 0.2)."""
    turn, height = rng.uniform(-0.5 * np.pi, 0.5 * np.pi, 900), rng.uniform(0.0, 0.12, 900)
    radius = 0.03 + 0.02 * height / 0.12
    points = np.stack([0.3 + radius * np.cos(turn), 0.2 + radius * np.sin(turn), height], axis=1)
    return points + 0.001 * rng.normal(size=(900, 3))


def test_three_observed_faces_complete_a_box():
    solid = fit_solid(seen_box(np.random.default_rng(0)), base_m=0.0, tolerance_m=0.004)
    assert isinstance(solid, BoxSolid)
    assert 2.0 * np.sort(solid.half_m) == pytest.approx([0.10, 0.12, 0.20], abs=0.006)
    assert solid.center == pytest.approx([0.0, 0.0, 0.05], abs=0.004)


def test_half_a_cup_determines_its_axis_and_radii():
    solid = fit_solid(seen_cup(np.random.default_rng(0)), base_m=0.0, tolerance_m=0.006)
    assert isinstance(solid, RevolutionSolid)
    assert solid.axis_xy == pytest.approx([0.3, 0.2], abs=0.002)
    assert solid.radii_m[[0, -1]] == pytest.approx([0.031, 0.049], abs=0.002)


def test_scattered_points_fit_no_solid():
    points = np.random.default_rng(0).uniform(-0.1, 0.1, size=(900, 3))
    assert fit_solid(points, base_m=-0.1, tolerance_m=0.006) is None


def test_few_points_fit_no_solid():
    assert fit_solid(np.zeros((20, 3)), base_m=0.0, tolerance_m=0.006) is None


def plane(height_m: float) -> Plane:
    return Plane(
        name="table", kind="table", normal=np.array([0.0, 0.0, 1.0]), offset_m=height_m, outline=np.zeros((4, 3))
    )


def test_an_object_stands_on_the_plane_that_its_segment_names():
    segment = Segment(name="object_0", label="thing", support="table")
    scene = Segmentation(planes=(plane(0.7),), segments=(segment,))
    assert base_height_m(scene, segment, np.array([0.0, 0.0, 0.8]), np.array([0.1, 0.1, 0.9])) == pytest.approx(0.7)


def test_an_unnamed_support_is_found_only_close_below():
    segment = Segment(name="object_0", label="thing")
    scene = Segmentation(planes=(plane(0.7),), segments=(segment,))
    corner = np.array([0.1, 0.1, 0.9])
    assert base_height_m(scene, segment, np.array([0.0, 0.0, 0.71]), corner) == pytest.approx(0.7)
    assert base_height_m(scene, segment, np.array([0.0, 0.0, 0.8]), corner) == pytest.approx(0.8)


def test_an_object_on_another_stands_on_its_top():
    points = np.stack(np.meshgrid(np.linspace(0, 0.1, 10), np.linspace(0, 0.1, 10), [0.745]), axis=-1).reshape(-1, 3)
    carrier = Segment(name="object_0", label="book", points=points)
    segment = Segment(name="object_1", label="thing", support="object_0")
    scene = Segmentation(planes=(plane(0.7),), segments=(carrier, segment))
    low, high = np.array([0.0, 0.0, 0.75]), np.array([0.1, 0.1, 0.9])
    assert base_height_m(scene, segment, low, high) == pytest.approx(0.745)


def test_a_face_that_bends_a_little_is_no_body_of_revolution() -> None:
    rng = np.random.default_rng(4)
    across_m = rng.uniform(-0.08, 0.08, 3000)
    face = np.column_stack([across_m, across_m**2 + rng.normal(0.0, 0.003, 3000), rng.uniform(0.0, 0.2, 3000)])
    solid = fit_solid(face, base_m=0.0, tolerance_m=0.012)
    assert solid is not None
    assert solid.name == "box"
