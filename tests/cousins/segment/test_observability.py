"""Objects without enough evidence are left out with a warning."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np

from cousins.capture.captures import Capture, Frame, Scale
from cousins.geometry import Array, Intrinsics, look_at
from cousins.segment.observability import MIN_MEDIAN_PIXELS, select_observed

UP = np.array([0.0, 0.0, 1.0])
CAMERA = Intrinsics(width=64, height=48, fx=50.0, fy=50.0, cx=31.5, cy=23.5)


def capture_around(arc_deg: float) -> Capture:
    frames = []
    for index, angle in enumerate(np.deg2rad(np.linspace(0.0, arc_deg, 12))):
        eye = np.array([np.cos(angle), np.sin(angle), 0.6])
        frames.append(
            Frame(
                index=index,
                timestamp_s=0.1 * index,
                world_from_camera=look_at(eye, np.zeros(3)),
                depth_camera=CAMERA,
                depth_m=np.ones((48, 64), dtype=np.float32),
                confidence=np.full((48, 64), 2, dtype=np.uint8),
            )
        )
    scale = Scale(source="lidar", error=0.01)
    return Capture(name="ring", device="test", app="test", frames=tuple(frames), scale=scale)


def masks_of_side(side: int) -> dict[int, Array]:
    image = np.zeros((48, 64), dtype=bool)
    image[20 : 20 + side, 20 : 20 + side] = True
    return dict.fromkeys(range(12), image)


def cube_cloud(side_m: float, voxel_m: float = 0.005) -> Array:
    steps = np.arange(0.0, side_m, voxel_m)
    flat = np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2)
    top = np.column_stack([flat, np.full(len(flat), side_m)])
    return np.concatenate([top, top[:, [2, 0, 1]], top[:, [0, 2, 1]]])


def test_an_object_of_a_few_pixels_is_left_out_with_a_warning() -> None:
    few = int(np.sqrt(MIN_MEDIAN_PIXELS)) - 1
    kept_indices, warnings = select_observed(
        capture_around(180.0),
        [masks_of_side(12), masks_of_side(few)],
        [cube_cloud(0.1), cube_cloud(0.03)],
        voxel_m=0.005,
        up=UP,
    )
    assert kept_indices == [0]
    assert warnings == ("left out 1 thing under 30 depth pixels large: go nearer to include them",)


def test_an_object_viewed_from_one_side_is_left_out_beside_one_that_was_not() -> None:
    one_side = {index: image for index, image in masks_of_side(12).items() if index < 2}
    one_side[2] = one_side[1]
    kept_indices, warnings = select_observed(
        capture_around(120.0),
        [masks_of_side(12), one_side],
        [cube_cloud(0.1), cube_cloud(0.1)],
        voxel_m=0.005,
        up=UP,
    )
    assert kept_indices == [0]
    assert warnings == (
        "left out 1 thing seen from one side only, over less than 25°: walk around them to include them",
    )


def test_an_object_viewed_from_one_side_is_left_out_with_a_warning(scene_builder: SimpleNamespace) -> None:
    capture, bodies = scene_builder.film(
        [scene_builder.box((-0.05, -0.05, 0.0), (0.05, 0.05, 0.1))], scene_builder.views(36)
    )
    rng = np.random.default_rng(0)
    cloud = _box_surface(rng)
    around = {k: bodies[k] == 1 for k in range(36)}
    one_side = {k: bodies[k] == 1 for k in range(3)}
    kept_indices, warnings = select_observed(
        capture, [around, one_side], [cloud, cloud], voxel_m=0.005, up=np.array([0.0, 0.0, 1.0])
    )
    assert kept_indices == [0]
    assert warnings == (
        "left out 1 thing seen from one side only, over less than 25°: walk around them to include them",
    )
    few = replace(capture, frames=capture.frames[:3])
    assert select_observed(few, [one_side], [cloud], voxel_m=0.005, up=np.array([0.0, 0.0, 1.0])) == ([0], ())


def _box_surface(rng: np.random.Generator) -> Array:
    points = rng.uniform(-0.05, 0.05, size=(2400, 3)) + np.array([0.0, 0.0, 0.05])
    axis = rng.integers(0, 3, size=len(points))
    points[np.arange(len(points)), axis] = rng.integers(0, 2, size=len(points)) * 0.1 - np.where(axis == 2, 0.0, 0.05)
    return points


def test_a_speck_beside_the_camera_does_not_raise_what_is_asked_of_all_others() -> None:
    middle = np.deg2rad(10.0)
    beside_camera = cube_cloud(0.03) + np.array([0.98 * np.cos(middle), 0.98 * np.sin(middle), 0.4])
    kept_indices, warnings = select_observed(
        capture_around(20.0),
        [masks_of_side(12)] * 13,
        [cube_cloud(0.1)] * 12 + [beside_camera],
        voxel_m=0.005,
        up=UP,
    )
    assert kept_indices == list(range(13))
    assert warnings == ()
