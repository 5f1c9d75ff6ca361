import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cousins.geometry import (
    Intrinsics,
    invert,
    look_at,
    project,
    quat_wxyz_from_rotation,
    rigid,
    rotation_about,
    rotation_angle_rad,
    rotation_from_quat_wxyz,
    transform,
    unproject,
    unproject_pixels,
)

CAMERA = Intrinsics(width=64, height=48, fx=50.0, fy=52.0, cx=30.5, cy=22.0)
ANGLES = st.floats(-np.pi, np.pi)
AXES = st.tuples(*[st.floats(-1, 1)] * 3).filter(lambda axis: np.linalg.norm(axis) > 1e-3)


@given(AXES, ANGLES)
def test_a_quaternion_survives_the_way_through_a_rotation(axis: tuple[float, ...], angle: float) -> None:
    rotation = rotation_about(np.array(axis), angle)
    quat = quat_wxyz_from_rotation(rotation)
    assert quat[0] >= 0.0
    np.testing.assert_allclose(rotation_from_quat_wxyz(quat), rotation, atol=1e-9)
    assert rotation_angle_rad(rotation) == pytest.approx(abs(angle), abs=1e-7)


@given(AXES, ANGLES)
def test_a_pose_times_its_inverse_is_neutral(axis: tuple[float, ...], angle: float) -> None:
    pose = rigid(rotation_about(np.array(axis), angle), np.array([1.0, -2.0, 3.0]))
    np.testing.assert_allclose(invert(pose) @ pose, np.eye(4), atol=1e-12)


def test_some_pixels_are_unprojected_as_all_are() -> None:
    depth = np.random.default_rng(0).uniform(0.0, 3.0, (CAMERA.height, CAMERA.width)).astype(np.float32)
    rows, columns = np.nonzero(depth > 1.0)
    assert np.array_equal(unproject_pixels(depth, rows, columns, CAMERA), unproject(depth, CAMERA)[depth > 1.0])


def test_projecting_what_was_unprojected_gives_the_pixels_back() -> None:
    depth = np.linspace(0.3, 4.0, 64 * 48).reshape(48, 64)
    pixels, z = project(unproject(depth, CAMERA), CAMERA)
    u, v = np.meshgrid(np.arange(64), np.arange(48))
    np.testing.assert_allclose(pixels, np.stack([u, v], axis=-1), atol=1e-9)
    np.testing.assert_allclose(z, depth)


def test_what_lies_behind_the_camera_has_no_pixel() -> None:
    pixels, _ = project(np.array([[0.0, 0.0, -1.0]]), CAMERA)
    assert np.isnan(pixels).all()


def test_scaled_intrinsics_keep_the_corners_of_the_picture_on_the_same_rays() -> None:
    half = CAMERA.scaled(32, 24)
    for corner, small in (((-0.5, -0.5), (-0.5, -0.5)), ((63.5, 47.5), (31.5, 23.5))):
        full_ray = [(corner[0] - CAMERA.cx) / CAMERA.fx, (corner[1] - CAMERA.cy) / CAMERA.fy]
        half_ray = [(small[0] - half.cx) / half.fx, (small[1] - half.cy) / half.fy]
        np.testing.assert_allclose(half_ray, full_ray, atol=1e-12)


def test_a_camera_that_looks_at_a_point_has_it_ahead_and_the_world_upright() -> None:
    world_from_camera = look_at(np.array([1.0, 0.0, 0.5]), np.array([0.0, 0.0, 0.0]))
    ahead = transform(invert(world_from_camera), np.zeros(3))
    np.testing.assert_allclose(ahead, [0.0, 0.0, np.hypot(1.0, 0.5)], atol=1e-12)
    assert world_from_camera[2, 1] < 0.0  # the image's downward axis points down in the world
    assert np.linalg.det(world_from_camera[:3, :3]) == pytest.approx(1.0)
