"""The up direction is estimated where the export does not contain it, and kept where it does."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from cousins.capture.gravity import PosedDepth, estimate_up, level_from_surfaces
from cousins.capture.ingest import ingest
from cousins.geometry import (
    Array,
    Intrinsics,
    look_at,
    quat_wxyz_from_rotation,
    rigid,
    rotation_about,
)
from cousins.meshes import Mesh
from cousins.raster import render
from tests.cousins.capture.exports import export, record3d_exr
from tests.cousins.capture.room import GL, Y_UP_FROM_Z_UP, shots, write_folder

TILT = rigid(rotation_about(np.array([1.0, 0.4, 0.2]), 1.1), np.array([0.3, -2.0, 0.5]))
UP = np.array([0.0, 0.0, 1.0])


def views(world_from_room: Array, *, roll_rad: float = 0.0) -> list[PosedDepth]:
    roll = rigid(rotation_about(UP, roll_rad))
    return [
        PosedDepth(
            world_from_camera=world_from_room @ shot.world_from_camera @ roll,
            depth_camera=shot.depth_camera,
            depth_m=shot.depth_mm / 1000.0,
        )
        for shot in shots()
    ]


@pytest.mark.parametrize("world_from_room", [np.eye(4), TILT, TILT @ TILT])
def test_up_is_found_in_any_world(world_from_room: Array) -> None:
    up = estimate_up(views(world_from_room))
    assert up is not None
    assert np.rad2deg(np.arccos(up.direction @ world_from_room[:3, 2])) < 0.5


def test_a_declared_up_that_fits_is_kept_exactly() -> None:
    level, sentence = level_from_surfaces(views(np.eye(4)), declared_up=UP)
    assert (level == np.eye(4)).all()
    assert "confirms +z" in sentence


def test_a_declared_up_that_is_wrong_is_mended() -> None:
    level, sentence = level_from_surfaces(views(TILT), declared_up=UP)
    np.testing.assert_allclose((level @ TILT)[:3, 2], UP, atol=0.01)
    assert "estimated from level surfaces" in sentence


def test_without_depth_up_is_a_guess_and_said_to_be_one() -> None:
    blind = [
        PosedDepth(world_from_camera=v.world_from_camera, depth_camera=v.depth_camera, depth_m=v.depth_m * 0)
        for v in views(TILT)
    ]
    level, sentence = level_from_surfaces(blind, declared_up=None)
    assert (level == np.eye(4)).all()
    assert "guess" in sentence


def test_a_wall_does_not_overrule_the_declared_up() -> None:
    """Frames that see one wall from straight ahead: the widest plane is not a floor."""
    yaw = rigid(rotation_about(UP, 0.5))
    camera = Intrinsics(width=64, height=48, fx=48.0, fy=48.0, cx=31.5, cy=23.5)
    wall = [
        PosedDepth(
            world_from_camera=yaw @ look_at(np.array([x, -1.0, 1.2]), np.array([x, 0.0, 1.2])),
            depth_camera=camera,
            depth_m=np.ones((48, 64)),
        )
        for x in np.linspace(0.0, 1.0, 8)
    ]
    level, _ = level_from_surfaces(wall, declared_up=UP)
    assert (level == np.eye(4)).all()


def test_a_y_up_transforms_file_stands_upright(tmp_path: Path) -> None:
    files = export("nerfstudio", misread=lambda pose: Y_UP_FROM_Z_UP @ pose)
    capture = ingest(write_folder(files, tmp_path / "in"), tmp_path / "out")
    for frame, shot in zip(capture.frames, shots(), strict=True):
        np.testing.assert_allclose(frame.world_from_camera[2, :3], shot.world_from_camera[2, :3], atol=0.01)
    assert not capture.gravity_known
    assert any("estimated" in warning for warning in capture.warnings)


def test_record3d_poses_that_count_from_the_first_camera_are_levelled(tmp_path: Path) -> None:
    first = np.array(shots(portrait=True)[0].world_from_camera)
    files = export("record3d_exr")
    meta = json.loads(files["metadata.json"])
    start = np.linalg.inv(Y_UP_FROM_Z_UP @ first @ GL)
    files = record3d_exr(shots(portrait=True), misread=lambda pose: start @ pose)
    assert json.loads(files["metadata.json"])["poses"][0][:4] == pytest.approx([0, 0, 0, 1], abs=1e-9)
    assert meta["poses"][0][:4] != pytest.approx([0, 0, 0, 1], abs=1e-3)
    capture = ingest(write_folder(files, tmp_path / "in"), tmp_path / "out")
    assert not capture.gravity_known
    for frame, shot in zip(capture.frames, shots(portrait=True), strict=True):
        np.testing.assert_allclose(frame.world_from_camera[2, :3], shot.world_from_camera[2, :3], atol=0.02)


def test_init_pose_of_record3d_is_composed_in(tmp_path: Path) -> None:
    start = rigid(rotation_about(np.array([0.0, 1.0, 0.0]), 0.8), np.array([0.5, 0.1, -0.4]))
    files = record3d_exr(shots(portrait=True), misread=lambda pose: np.linalg.inv(start) @ pose)
    meta = json.loads(files["metadata.json"])
    w, x, y, z = quat_wxyz_from_rotation(start[:3, :3])
    meta["initPose"] = [x, y, z, w, 0.5, 0.1, -0.4]
    files["metadata.json"] = json.dumps(meta).encode()
    capture = ingest(write_folder(files, tmp_path / "in"), tmp_path / "out")
    assert capture.gravity_known
    for frame, shot in zip(capture.frames, shots(portrait=True), strict=True):
        np.testing.assert_allclose(frame.world_from_camera, shot.world_from_camera, atol=1e-8)


def views_of_a_corner(eye_heights_m: tuple[float, ...]) -> list[PosedDepth]:
    camera = Intrinsics(width=128, height=96, fx=100.0, fy=100.0, cx=63.5, cy=47.5)
    floor = [(-2.0, -2.0, 0.0), (2.0, -2.0, 0.0), (2.0, 0.3, 0.0), (-2.0, 0.3, 0.0)]
    wall = [(-2.0, 0.3, 0.0), (2.0, 0.3, 0.0), (2.0, 0.3, 2.0), (-2.0, 0.3, 2.0)]
    faces = np.array([[0, 1, 2], [0, 2, 3]], dtype=np.int32)
    meshes = [Mesh(vertices=np.array(points), faces=faces) for points in (floor, wall)]
    poses = [look_at(np.array([x, -0.5, z]), np.array([0.0, 0.1, 0.1])) for z in eye_heights_m for x in (-0.2, 0.2)]
    return [
        PosedDepth(world_from_camera=pose, depth_camera=camera, depth_m=render(meshes, camera, pose).depth_m)
        for pose in poses
    ]


def test_a_wall_that_fills_the_views_is_not_up() -> None:
    level, _ = level_from_surfaces(views_of_a_corner((0.25, 0.4)), declared_up=None)
    np.testing.assert_allclose(level[:3, :3] @ UP, UP, atol=0.01)


def test_where_a_wall_may_as_well_be_the_floor_up_is_unsure_and_the_way_to_be_sure_is_named() -> None:
    _, sentence = level_from_surfaces(views_of_a_corner((0.13, 0.17)), declared_up=None)
    assert "It is unsure" in sentence
    assert "keep a floor or table in view" in sentence
