"""The subject of photos is cut from its background."""

from __future__ import annotations

import numpy as np
import pytest

from cousins.capture.quality.reprojection import surface_normals
from cousins.geometry import Array, Intrinsics, look_at, transform, unproject
from cousins.meshes import Mesh
from cousins.photos.subject import View, find_subject
from tests.cousins.rendered_captures import rendered_capture

CAMERA = Intrinsics(width=192, height=144, fx=150.0, fy=150.0, cx=95.5, cy=71.5)


def box(low: tuple[float, float, float], high: tuple[float, float, float]) -> Mesh:
    import trimesh

    return Mesh.from_trimesh(trimesh.creation.box(bounds=np.array([low, high])))


COMPUTER = box((-0.1, -0.22, 0.0), (0.1, 0.22, 0.45))
FLOOR = box((-4.0, -4.0, -0.1), (0.35, 4.0, 0.0))
WALL = box((-0.2, -4.0, 0.0), (-0.1, 4.0, 2.5))
"""A wall that the computer stands against."""
BESIDE = box((-0.05, 0.42, 0.0), (0.15, 0.55, 0.12))
FAR = box((-3.0, -3.0, 0.0), (-2.5, 3.0, 1.5))
WIDE_FLOOR = box((-4.0, -4.0, -0.1), (4.0, 4.0, 0.0))


def views(meshes: list[Mesh], turns_deg: Array) -> list[View]:
    eyes = [1.6 * np.array([np.cos(turn), np.sin(turn), 0.55]) for turn in np.deg2rad(turns_deg)]
    capture = rendered_capture(meshes, CAMERA, [look_at(eye, np.array([0.0, 0.0, 0.2])) for eye in eyes])
    result = []
    for frame in capture.frames:
        points, normals, _ = surface_normals(frame.depth_m, CAMERA, columns=64)
        is_flat, pose = normals.any(axis=-1), frame.world_from_camera
        result.append(
            View(
                camera=CAMERA,
                depth=frame.depth_m,
                world_from_camera=pose,
                surface_points=transform(pose, points[is_flat]),
                surface_normals=normals[is_flat] @ pose[:3, :3].T,
            )
        )
    return result


def shares(meshes: list[Mesh], turns_deg: Array) -> dict[int, float]:
    """Return the share of each mesh's visible surface that is remaining, by its number."""
    all_views = views(meshes, turns_deg)
    subject = find_subject(all_views)
    assert subject is not None
    remaining, counted = np.zeros(len(meshes)), np.zeros(len(meshes))
    for view in all_views:
        mask = subject.mask(view)
        points = transform(view.world_from_camera, unproject(view.depth, view.camera))
        owner = np.full(view.depth.shape, -1)
        for number, mesh in enumerate(meshes):
            low, high = mesh.vertices.min(axis=0) - 1e-3, mesh.vertices.max(axis=0) + 1e-3
            owner[np.all((points >= low) & (points <= high), axis=-1) & (view.depth > 0.0) & (owner < 0)] = number
        for number in range(len(meshes)):
            counted[number] += (owner == number).sum()
            remaining[number] += (mask & (owner == number)).sum()
    return {number: float(remaining[number] / max(counted[number], 1.0)) for number in range(len(meshes))}


def test_a_wall_that_the_subject_touches_is_cut_off() -> None:
    remaining = shares([COMPUTER, WALL, WIDE_FLOOR], np.linspace(-60.0, 60.0, 12))
    assert remaining[0] > 0.95
    assert remaining[1] < 0.12
    assert 0.02 < remaining[2] < 0.5


def test_what_stands_beside_the_subject_is_kept_and_the_far_background_is_not() -> None:
    remaining = shares([COMPUTER, BESIDE, FAR, WIDE_FLOOR], np.linspace(0.0, 330.0, 12))
    assert remaining[0] > 0.95
    assert remaining[1] > 0.9
    assert remaining[2] == 0.0


def test_cameras_that_look_around_have_no_subject() -> None:
    poses = [look_at(np.zeros(3), np.array([np.cos(a), np.sin(a), -0.1])) for a in np.linspace(0.0, 6.0, 12)]
    no_points = np.zeros((0, 3))
    around = [
        View(
            camera=CAMERA,
            depth=np.ones((144, 192), np.float32),
            world_from_camera=pose,
            surface_points=no_points,
            surface_normals=no_points,
        )
        for pose in poses
    ]
    assert find_subject(around) is None


@pytest.mark.parametrize("size", [0.05, 30.0])
def test_the_unit_does_not_matter(size: float) -> None:
    turns = np.linspace(-60.0, 60.0, 12)
    scaled = []
    for view in views([COMPUTER, WALL, WIDE_FLOOR], turns):
        pose = view.world_from_camera.copy()
        pose[:3, 3] *= size
        scaled.append(
            View(
                camera=view.camera,
                depth=view.depth * np.float32(size),
                world_from_camera=pose,
                surface_points=view.surface_points * size,
                surface_normals=view.surface_normals,
            )
        )
    subject, same = find_subject(scaled), find_subject(views([COMPUTER, WALL, WIDE_FLOOR], turns))
    assert subject is not None
    assert same is not None
    assert (subject.voxels != same.voxels).mean() < 0.002
