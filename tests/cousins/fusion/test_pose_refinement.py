from pathlib import Path

import numpy as np
import pytest
import trimesh

from cousins.capture.captures import Capture, Frame, Scale
from cousins.fusion.pose_refinement import RefineConfig, refine_poses
from cousins.geometry import Array, Intrinsics, invert, look_at, rigid, rotation_about, transform, unproject
from cousins.meshes import Mesh
from cousins.raster import render

CAMERA = Intrinsics(width=256, height=192, fx=193.0, fy=193.0, cx=127.5, cy=95.5)
FRAMES = 36


def desk() -> list[Mesh]:
    """A table with six boxes on it."""
    rng = np.random.default_rng(1)
    top = trimesh.creation.box((1.2, 1.0, 0.02))
    top.apply_translation((0.0, 0.0, -0.01))
    solids = [Mesh.from_trimesh(top)]
    for x, y in ((-0.3, -0.2), (0.0, -0.25), (0.3, -0.15), (-0.25, 0.2), (0.05, 0.1), (0.3, 0.25)):
        size = rng.uniform(0.08, 0.22, size=3)
        turn = rotation_about(np.array([0.0, 0.0, 1.0]), float(rng.uniform(0.0, 3.0)))
        box = Mesh.from_trimesh(trimesh.creation.box(size))
        solids.append(box.transformed(rigid(turn, np.array([x, y, size[2] / 2.0]))))
    return solids


def walk(reach: float, rng: np.random.Generator) -> Array:
    """A random walk from 0 whose farthest point is `reach` away, [FRAMES, 3]."""
    path = np.cumsum(rng.normal(size=(FRAMES, 3)), axis=0)
    path -= path[0]
    return path * (reach / np.linalg.norm(path, axis=1).max())


def recorded(*, drift: float, sigma: float = 1.0, bias_m: float = 0.0) -> tuple[Capture, Array]:
    """A little more than a round about the desk; also the true poses.

    `drift` 1 reaches 5 mm and 0.3°; `sigma` 1 is noise of 2 mm + 0.5 % of range.
    """
    rng = np.random.default_rng(3)
    meshes, frames, true = desk(), [], []
    shifts, turns = walk(0.005, rng) * drift, walk(np.deg2rad(0.3), rng) * drift
    rays = np.linalg.norm(unproject(np.ones((192, 256)), CAMERA), axis=-1)
    for k in range(FRAMES):
        angle = 2.2 * np.pi * k / FRAMES
        height = 0.45 + 0.2 * np.sin(2.0 * angle)
        pose = look_at(np.array([0.75 * np.cos(angle), 0.75 * np.sin(angle), height]), np.array([0.0, 0.0, 0.06]))
        exact = render(meshes, CAMERA, pose).depth_m
        noise = sigma * (0.002 + 0.005 * exact * rays) * rng.normal(size=exact.shape)
        depth = np.where(exact > 0.0, exact + (noise + bias_m) / rays, 0.0).astype(np.float32)
        angle_rad = float(np.linalg.norm(turns[k]))
        turn = rotation_about(turns[k], angle_rad) if angle_rad > 0.0 else np.eye(3)
        true.append(pose)
        frames.append(
            Frame(
                index=k,
                timestamp_s=0.3 * k,
                world_from_camera=rigid(turn @ pose[:3, :3], pose[:3, 3] + shifts[k]),
                depth_camera=CAMERA,
                depth_m=depth,
                confidence=np.where(depth > 0.0, 2, 0).astype(np.uint8),
            )
        )
    scale = Scale(source="lidar", error=0.005)
    return Capture(name="desk", device="", app="", frames=tuple(frames), scale=scale), np.array(true)


def error_m(capture: Capture, true: Array) -> float:
    """How far the looked-at points are from the truth, up to one rigid motion of everything."""
    local = np.array([[0.0, 0.0, 0.9], [0.3, 0.0, 0.9], [0.0, 0.3, 0.9]])
    estimated = np.concatenate([transform(frame.world_from_camera, local) for frame in capture.all_frames])
    true_points = np.concatenate([transform(pose, local) for pose in true])
    left, _, right = np.linalg.svd((estimated - estimated.mean(axis=0)).T @ (true_points - true_points.mean(axis=0)))
    moved = (estimated - estimated.mean(axis=0)) @ left @ right + true_points.mean(axis=0)
    return float(np.sqrt(((moved - true_points) ** 2).sum(axis=1).mean()))


def test_refining_lowers_the_true_pose_error_below_a_millimetre_and_a_half() -> None:
    capture, true = recorded(drift=1.0)
    refined = refine_poses(capture)
    assert refined.report.kept
    assert refined.report.residual_after_m < refined.report.residual_before_m
    assert error_m(refined.capture, true) < min(0.0015, 0.7 * error_m(capture, true))


def test_a_perfect_capture_is_left_alone() -> None:
    capture, _ = recorded(drift=0.0)
    refined = refine_poses(capture)
    assert not refined.report.kept
    assert refined.capture.all_frames == capture.frames


@pytest.mark.parametrize("bias_m", [-0.004, -0.003])
def test_a_range_bias_is_found_and_taken_off(bias_m: float) -> None:
    capture, _ = recorded(drift=1.0, bias_m=bias_m)
    refined = refine_poses(capture)
    assert refined.report.range_bias_m == pytest.approx(bias_m, abs=0.0012)
    assert refined.report.bias_corrected
    middle = capture.frames[0].depth_m[96, 128] - refined.capture.frames[0].depth_m[96, 128]
    assert middle == pytest.approx(refined.report.range_bias_m, rel=0.01)


def test_a_range_bias_that_is_not_there_is_not_taken_off() -> None:
    report = refine_poses(recorded(drift=1.0)[0]).report
    assert not report.bias_corrected
    assert abs(report.range_bias_m) < 3.0 * report.range_bias_std_m


def test_gravity_and_place_stay_where_tracking_put_them() -> None:
    capture, _ = recorded(drift=1.0)
    refined = refine_poses(capture).capture
    corrections = np.array(
        [
            new.world_from_camera @ invert(old.world_from_camera)
            for new, old in zip(refined.all_frames, capture.frames, strict=True)
        ]
    )
    assert np.abs(corrections[:, :3, 2].mean(axis=0) - [0.0, 0.0, 1.0]).max() < 1e-3


def test_frames_between_keyframes_follow_their_neighbours() -> None:
    capture, true = recorded(drift=1.0)
    refined = refine_poses(capture, config=RefineConfig(max_keyframes=18, estimate_bias=False))
    assert refined.report.kept
    assert error_m(refined.capture, true) < error_m(capture, true)


def test_a_single_frame_cannot_be_refined_and_says_so() -> None:
    capture, _ = recorded(drift=0.0)
    alone = Capture(name="one", device="", app="", frames=capture.frames[:1], scale=capture.scale)
    refined = refine_poses(alone)
    assert not refined.report.kept
    assert "too few frames see the same surface" in refined.report.warnings[0]


def test_the_real_chair_agrees_better_with_itself(shared_data, tmp_path: Path) -> None:
    from cousins.capture.ingest import ingest

    capture = ingest(shared_data("captures/chair_3dscannerapp"), tmp_path / "chair")
    report = refine_poses(capture, config=RefineConfig(estimate_bias=False)).report
    assert report.kept
    assert report.residual_after_m < 0.7 * report.residual_before_m
    assert report.loop_residual_after_m < 0.7 * report.loop_residual_before_m
